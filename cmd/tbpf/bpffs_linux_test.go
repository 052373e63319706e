package main

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// mountBPFFS is the script command `bpffs DIR`: a bpffs of the script's own.
func mountBPFFS(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bpffs DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(unix.Mount("bpf", dir, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	ts.Defer(func() {
		// An object may have a mount of its own beneath it.
		if inner, err := filepath.Glob(filepath.Join(dir, "*", "*")); err == nil {
			for _, path := range inner {
				unix.Unmount(path, unix.MNT_DETACH)
			}
		}
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			ts.Logf("unmount %s: %v", dir, err)
		}
	})
}
