package signer

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ForbidCoreDumps makes the process undumpable: no core file, no core pipe, no
// ptrace by others of the same user (PR_SET_DUMPABLE in prctl(2)). It is for
// commands that hold private keys and nothing else, to be called before the
// first key is opened. It lasts until execve.
func ForbidCoreDumps() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}
