//go:build !linux

package signer

import (
	"fmt"
	"syscall"
)

// ForbidCoreDumps sets the size of core files to zero, for commands that hold
// private keys, to be called before the first key is opened.
func ForbidCoreDumps() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}
