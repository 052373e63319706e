//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/notify"
)

// self is this program's own binary, whatever its path leads to by now.
const self = "/proc/self/exe"

// purge starts the program anew with an environment of NOTIFY_SOCKET alone, if
// it has another: GODEBUG, GOGC, SSL_CERT_FILE and the like change what a Go
// program does before its first line. Descriptors that were inherited are
// closed by the way. It returns only if there is nothing to purge.
func purge(args []string) error {
	var keep []string
	environment := os.Environ()
	for _, variable := range environment {
		if strings.HasPrefix(variable, notify.Variable+"=") {
			keep = []string{variable}
		}
	}
	if len(environment) == len(keep) {
		return nil
	}
	const firstInherited = 3
	if err := unix.CloseRange(firstInherited, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil && err != unix.EINVAL && err != unix.ENOSYS {
		return fmt.Errorf("close inherited files: %w", err)
	}
	if err := unix.Exec(self, args, keep); err != nil {
		return fmt.Errorf("start anew with a clean environment: %s: %w", self, err)
	}
	return nil
}
