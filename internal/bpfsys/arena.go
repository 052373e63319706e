//go:build linux

package bpfsys

import (
	"fmt"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// WriteArena puts data at a byte offset of an arena of size bytes, which lies at
// address for user space: there alone can it be mapped. Pages that it touches are
// the arena's until the map goes.
//
// A page that the kernel does not give is an error, and not a signal.
func WriteArena(arena *FD, address, size uintptr, offset uint32, data []byte) (err error) {
	fd, err := arena.number()
	if err != nil {
		return err
	}
	if uintptr(offset) > size || uintptr(len(data)) > size-uintptr(offset) {
		return unix.ERANGE
	}
	at, _, errno := unix.Syscall6(unix.SYS_MMAP, address, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE, uintptr(fd), 0)
	if errno != 0 {
		return fmt.Errorf("map the arena at %#x: %w", address, errno)
	}
	defer func() {
		if _, _, errno := unix.Syscall(unix.SYS_MUNMAP, at, size, 0); errno != 0 && err == nil {
			err = fmt.Errorf("unmap the arena: %w", errno)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("write to the arena: %v: %w", fault, unix.ENOMEM)
		}
	}()
	to := at + uintptr(offset)
	copy(unsafe.Slice(*(**byte)(unsafe.Pointer(&to)), len(data)), data)
	return nil
}
