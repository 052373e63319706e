//go:build linux

package worker

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork comes back in the parent only. The child shares the memory until it
// executes the program, as after vfork(2), but does not hold up the parent,
// which has to answer it. A copy of the memory would cost more than all else
// that a worker takes: a fault, and a flush on every CPU, for each page that the
// parent then writes to. So the child has a stack of its own, and c must stay
// until the child has executed.
func (c *child) fork() (uintptr, syscall.Errno) {
	const argument = len(c.stack) - 2
	c.stack[argument] = uintptr(unsafe.Pointer(c))
	pid, errno := cloneSharing(c.flags|unix.CLONE_VM, &c.stack[argument], &c.pidfd)
	return pid, syscall.Errno(errno)
}

// ownStack is the child's, 4 KiB. Functions that check no stack, and its do not,
// take 800 bytes together at most. It is not of pointers: nobody looks for any.
type ownStack struct{ stack [512]uintptr }

// cloneSharing is clone(2) with another stack, on which liveOn is called.
//
//go:noescape
func cloneSharing(flags uintptr, stack *uintptr, pidfd *int32) (pid, errno uintptr)

// liveOn is where the child begins.
//
//go:nosplit
//go:norace
func liveOn(c *child) { c.live() }

var _ = liveOn // assembly calls it
