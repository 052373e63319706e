package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Permission masks (include/linux/key.h): the possessor may search, and nobody
// may do anything else. The kernel checks signatures as possessor, whoever asks
// (certs/system_keyring.c, verify_pkcs7_signature), so this is all that it needs.
const possessorSearch = 0x08000000

// Error is a failed keyring operation.
type Error struct {
	Operation string // "add_key asymmetric", "keyctl restrict", ...
	Errno     unix.Errno
}

// Error names the operation and the error number's meaning.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Operation, e.Errno) }

// Unwrap returns the error number.
func (e *Error) Unwrap() error { return e.Errno }

// fail makes an Error of what a system call returned.
func fail(operation string, err error) error {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return &Error{Operation: operation, Errno: errno}
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// Isolate gives the calling thread a new, empty session keyring, so that it
// possesses none of the keys that it inherited. The caller must have locked its
// goroutine to the thread, and must let the thread end with it: a session
// keyring belongs to a thread, and there is no way back.
func Isolate() error {
	// A NULL name asks for an anonymous keyring; an empty name is an error.
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil {
		return fail("keyctl join session keyring", err)
	}
	return nil
}

// Ring is a kernel keyring of our own.
type Ring struct {
	serial int
}

// New makes a keyring that holds exactly the given certificates (DER), in the
// calling thread's session keyring, and closes it to everybody: no key can be
// added or removed, and it may only be searched. It must be called after
// Isolate, and lasts until Close or the end of the thread.
func New(certificates [][]byte) (*Ring, error) {
	serial, err := unix.AddKey("keyring", "tbpf", nil, unix.KEY_SPEC_SESSION_KEYRING)
	if err != nil {
		return nil, fail("add_key keyring", err)
	}
	ring := &Ring{serial: serial}
	var want []uint32
	for i, der := range certificates {
		key, err := ring.add(fmt.Sprintf("tbpf signer %d", i), der, possessorSearch)
		if err != nil {
			return nil, errors.Join(err, ring.Close())
		}
		want = append(want, key)
	}
	if err := errors.Join(ring.restrict(want), setPermissions(serial, possessorSearch)); err != nil {
		return nil, errors.Join(err, ring.Close())
	}
	return ring, nil
}

// add puts a certificate into the keyring.
func (r *Ring) add(description string, der []byte, mask uint32) (uint32, error) {
	key, err := unix.AddKey("asymmetric", description, der, r.serial)
	if err != nil {
		return 0, fail("add_key asymmetric", err)
	}
	return uint32(key), setPermissions(key, mask)
}

// restrict lets nobody put a key into the keyring any more, and makes sure that
// it holds the given ones and no others.
func (r *Ring) restrict(want []uint32) error {
	// Without a type the restriction is "nothing any more"
	// (security/keys/keyring.c, keyring_restrict).
	if _, err := unix.KeyctlInt(unix.KEYCTL_RESTRICT_KEYRING, r.serial, 0, 0, 0); err != nil {
		return fail("keyctl restrict keyring", err)
	}
	// Read after the restriction, while reading is still allowed: what is in
	// it now is what stays in it.
	have, err := r.read(len(want))
	if err != nil {
		return err
	}
	// The kernel lists each key once, and so as many that are all wanted are
	// those that are wanted.
	if len(have) != len(want) || slices.ContainsFunc(have, func(key uint32) bool { return !slices.Contains(want, key) }) {
		return fmt.Errorf("kernel keyring %d holds other keys than were put into it", r.serial)
	}
	return nil
}

// read returns the serial numbers of the keys in the ring, and more than the
// expected number only to show that there are more.
func (r *Ring) read(expected int) ([]uint32, error) {
	buf := make([]byte, 4*(expected+1))
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, r.serial, buf, 0)
	if err != nil {
		return nil, fail("keyctl read keyring", err)
	}
	if n > len(buf) || n%4 != 0 {
		return nil, fmt.Errorf("kernel keyring %d has %d bytes of keys", r.serial, n)
	}
	var keys []uint32
	for b := buf[:n]; len(b) > 0; b = b[4:] {
		keys = append(keys, binary.NativeEndian.Uint32(b))
	}
	return keys, nil
}

func setPermissions(serial int, mask uint32) error {
	if err := unix.KeyctlSetperm(serial, mask); err != nil {
		return fail("keyctl setperm", err)
	}
	return nil
}

// Reference names the keyring.
func (r *Ring) Reference() Reference { return Serial(int32(r.serial)) }

// Close invalidates the keyring: from then on the kernel finds nothing in it.
// It must be called on the thread that made it.
func (r *Ring) Close() error {
	if _, err := unix.KeyctlInt(unix.KEYCTL_INVALIDATE, r.serial, 0, 0, 0); err != nil {
		return fail("keyctl invalidate", err)
	}
	return nil
}
