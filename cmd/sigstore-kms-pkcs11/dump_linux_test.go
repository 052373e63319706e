package main

import (
	"syscall"
	"testing"
)

func TestCoreDumpsAreForbidden(t *testing.T) {
	if err := forbidCoreDumps(); err != nil {
		t.Fatal(err)
	}
	if dumpable, _, errno := syscall.Syscall(syscall.SYS_PRCTL, prGetDumpable, 0, 0); errno != 0 || dumpable != 0 {
		t.Errorf("dumpable %d, %v", dumpable, errno)
	}
}
