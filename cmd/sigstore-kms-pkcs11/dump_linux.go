package main

import "syscall"

// Of prctl(2), which package syscall has no names for.
const (
	prGetDumpable = 3
	prSetDumpable = 4
)

// forbidCoreDumps keeps the PIN out of core files and from debuggers of the
// same user.
func forbidCoreDumps() error {
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
