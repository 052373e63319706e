package signer

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A34: no key in a core dump. It is asked of a process of its own, because
// it cannot be taken back.
func TestForbidCoreDumps(t *testing.T) {
	if os.Getenv("TBPF_TEST_COREDUMP") != "" {
		if err := ForbidCoreDumps(); err != nil {
			t.Fatal(err)
		}
		dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil || dumpable != 0 {
			t.Fatalf("dumpable is %d, %v", dumpable, err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestForbidCoreDumps$")
	cmd.Env = append(os.Environ(), "TBPF_TEST_COREDUMP=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
