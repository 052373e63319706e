//go:build linux

package bpfsys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// The attributes hold addresses as unsafe.Pointer, so that the garbage
// collector sees them; that has the kernel's layout on 64-bit machines only.
const _ = uint(unsafe.Sizeof(uintptr(0)) - 8)

// maxRetries bounds the repetitions after EINTR and EAGAIN. A verifier run is
// stopped by any pending signal (kernel/bpf/verifier.c, do_check), and the Go
// runtime preempts with signals.
const maxRetries = 30

// Error is a failed command with the kernel's error number.
type Error struct {
	Command bpfabi.Command
	Errno   unix.Errno
}

// Error names the command and the error number's meaning.
func (e *Error) Error() string { return fmt.Sprintf("bpf %s: %v", e.Command, e.Errno) }

// Unwrap returns the error number.
func (e *Error) Unwrap() error { return e.Errno }

// call runs one bpf(2) command over attr, which is size bytes long.
func call(cmd bpfabi.Command, attr unsafe.Pointer, size uintptr) (int, error) {
	for tries := 0; ; tries++ {
		r, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
		if errno == 0 {
			return int(r), nil
		}
		again := errno == unix.EINTR && cmd != bpfabi.CommandProgRun ||
			errno == unix.EAGAIN && cmd == bpfabi.CommandProgLoad
		if !again || tries == maxRetries {
			return -1, &Error{Command: cmd, Errno: errno}
		}
	}
}

// callFD is call for a command that returns a new descriptor.
func callFD(cmd bpfabi.Command, attr unsafe.Pointer, size uintptr) (*FD, error) {
	n, err := call(cmd, attr, size)
	if err != nil {
		return nil, err
	}
	return NewFD(n)
}

// bytesPointer is the address of b's first byte, nil if there is none.
func bytesPointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// objectName is a name as the kernel's fixed 16 bytes. A longer one would be
// cut to something that nobody asked for, so it is an error.
func objectName(s string) (name [bpfabi.NameSize]byte, err error) {
	if len(s) >= len(name) {
		return name, fmt.Errorf("name %q is longer than the kernel's %d bytes", s, len(name)-1)
	}
	copy(name[:], s)
	return name, nil
}

// nameString is the inverse of objectName.
func nameString(name [bpfabi.NameSize]byte) string {
	for i, c := range name {
		if c == 0 {
			return string(name[:i])
		}
	}
	return string(name[:])
}
