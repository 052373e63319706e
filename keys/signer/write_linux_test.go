package signer

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A key that was written in part must not look like one that was written: it
// is asked of a process of its own, which may write no file beyond 4 bytes.
func TestFullDiskIsNoticedAndNothingLeft(t *testing.T) {
	if dir := os.Getenv("TBPF_TEST_FULL"); dir != "" {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4, Max: 4}); err != nil {
			t.Fatal(err)
		}
		paths, err := WriteFiles(dir, "n", File{Suffix: ".crt", Data: []byte("tiny")}, File{Suffix: ".key", Data: []byte("a whole key"), Secret: true})
		if err == nil || paths != nil {
			t.Errorf("written: %q", paths)
		}
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDiskIsNoticedAndNothingLeft$")
	cmd.Env = append(os.Environ(), "TBPF_TEST_FULL="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}
