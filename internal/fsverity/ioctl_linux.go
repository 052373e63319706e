package fsverity

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNone says that a file has no fs-verity: its file system does not have it,
// or it was not enabled.
var ErrNone = errors.New("no fs-verity")

// ioctl numbers of include/uapi/linux/fsverity.h.
const (
	ioctlEnable  = 0x40806685 // _IOW('f', 133, struct fsverity_enable_arg)
	ioctlMeasure = 0xc0046686 // _IOWR('f', 134, struct fsverity_digest)
)

// Measure asks the file system for the digest of an open file. From then on the
// kernel lets nobody read other bytes of it: it checks each block. The error is
// ErrNone where there is no fs-verity; a file that has it in another form than
// this package's is an error.
func Measure(fd int) (digest [sha256.Size]byte, err error) {
	var arg [4 + 64]byte // u16 algorithm, u16 size, digest
	binary.NativeEndian.PutUint16(arg[2:], 64)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlMeasure, uintptr(unsafe.Pointer(&arg)))
	switch errno {
	case 0:
	case unix.ENODATA, unix.ENOTTY, unix.EOPNOTSUPP:
		return digest, ErrNone
	default:
		return digest, fmt.Errorf("measure fs-verity: %w", errno)
	}
	algorithm, size := binary.NativeEndian.Uint16(arg[:]), binary.NativeEndian.Uint16(arg[2:])
	if algorithm != sha256ID || size != sha256.Size {
		return digest, fmt.Errorf("its fs-verity has hash algorithm %d: only SHA-256 is taken", algorithm)
	}
	copy(digest[:], arg[4:])
	return digest, nil
}

// Enable turns fs-verity on for a file, for ever. The descriptor must be open
// for reading, and nobody may have the file open for writing. The signature may
// be nil; the kernel checks it if it has a certificate in its keyring .fs-verity,
// and refuses it (ENOKEY) if it has none there.
func Enable(fd int, signature []byte) error {
	arg := struct {
		version, algorithm, blockSize, saltSize uint32
		salt                                    uint64
		signatureSize, _                        uint32
		signature                               uint64
		_                                       [11]uint64
	}{version: version, algorithm: sha256ID, blockSize: blockSize, signatureSize: uint32(len(signature))}
	if len(signature) > 0 {
		var pin runtime.Pinner // the kernel is given its address as a number
		defer pin.Unpin()
		pin.Pin(&signature[0])
		arg.signature = uint64(uintptr(unsafe.Pointer(&signature[0])))
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlEnable, uintptr(unsafe.Pointer(&arg)))
	switch errno {
	case 0:
		return nil
	case unix.ENOTTY, unix.EOPNOTSUPP:
		return ErrNone
	default:
		return fmt.Errorf("enable fs-verity: %w", errno)
	}
}
