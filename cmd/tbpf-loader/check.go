//go:build linux

package main

import (
	"fmt"
	"io"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/record"
)

// check is for the unit that stops a boot: it fails unless `boot` said that this
// one may go on.
func check(stderr io.Writer) int {
	store, err := record.Open()
	if err == nil {
		err = store.MayBootGoOn()
		_ = store.Close() // it was read only
	}
	if err != nil {
		complain(stderr, fmt.Errorf("the boot set is not as the policy wants it, or was not loaded: %w", err))
		return bootset.ExitFailed
	}
	return 0
}
