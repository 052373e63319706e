//go:build linux && !amd64

package worker

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork comes back in the parent only. The child has a copy of the memory.
//
//go:nosplit
//go:norace
func (c *child) fork() (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, c.flags, 0, uintptr(unsafe.Pointer(&c.pidfd)), 0, 0, 0)
	if errno == 0 && pid == 0 {
		c.live()
	}
	return pid, errno
}

// ownStack is the child's; in its copy of the memory it has the parent's.
type ownStack struct{}
