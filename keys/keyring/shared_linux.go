package keyring

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// ownerLooks lets the keyring's owner see that it is there and list what is in
// it, besides what the kernel needs. It gives no way to change anything:
// changing permissions, revoking and setting a time-out need SETATTR, linking,
// unlinking and clearing WRITE, invalidating SEARCH (security/keys/keyctl.c).
const ownerLooks = possessorSearch | 0x00030000

// Certificate is a certificate for a keyring.
type Certificate struct {
	Description string // of its key in the kernel
	DER         []byte
}

// NewShared is New for a keyring that many objects are checked against, which
// is known by its description, and outlives the thread if something holds it.
// A certificate of a kind that this kernel does not take is left out: what is
// signed with it is refused.
//
// Until Seal the keyring can be linked by those that possess it: the calling
// thread, and processes that it starts.
func NewShared(description string, certificates []Certificate) (*Ring, error) {
	serial, err := unix.AddKey("keyring", description, nil, unix.KEY_SPEC_SESSION_KEYRING)
	if err != nil {
		return nil, fail("add_key keyring", err)
	}
	ring := &Ring{serial: serial}
	var want []uint32
	for _, c := range certificates {
		key, err := ring.add(c.Description, c.DER, ownerLooks)
		if notTaken(err) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, ring.Close())
		}
		want = append(want, key)
	}
	if err := ring.restrict(want); err != nil {
		return nil, errors.Join(err, ring.Close())
	}
	return ring, nil
}

// notTaken reports whether the kernel does not take a certificate for what it
// is: an algorithm that it lacks, a form that it does not read, a key on its
// blacklist.
func notTaken(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	if !ok || failed.Operation != "add_key asymmetric" {
		return false
	}
	switch failed.Errno {
	case unix.ENOENT, unix.ENOPKG, unix.EBADMSG, unix.EINVAL, unix.EKEYREJECTED:
		return true
	}
	return false
}

// Seal takes every right to the keyring away but searching it, and that its
// owner may look.
func (r *Ring) Seal() error { return setPermissions(r.serial, ownerLooks) }

// IsShared reports whether r is a sealed keyring of root's with this
// description. Nobody but root can have made it.
func (r Reference) IsShared(description string) (bool, error) {
	if r.IsZero() || r.name != "" {
		return false, nil
	}
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, int(r.id))
	switch {
	case errors.Is(err, unix.ENOKEY), errors.Is(err, unix.EACCES), errors.Is(err, unix.EKEYREVOKED), errors.Is(err, unix.EKEYEXPIRED):
		return false, nil
	case err != nil:
		return false, fail("keyctl describe", err)
	}
	return text == fmt.Sprintf("keyring;0;0;%08x;%s", ownerLooks, strings.TrimSpace(description)), nil
}
