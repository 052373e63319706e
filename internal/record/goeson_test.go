//go:build linux

package record

import (
	"os"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/trustpath"
)

// A boot goes on only if that was said, for this root directory, by what root
// alone could have written.
func TestABootGoesOnOnlyIfThatWasSaid(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root's own files are read")
	}
	path, err := os.MkdirTemp("/run", "tbpf-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(path)
	dir, err := trustpath.MakeDir(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{dir}
	defer s.Close()
	if err := s.MayBootGoOn(); err == nil {
		t.Error("nobody said it")
	}
	if err := s.LetBootGoOn("5 of 5"); err != nil {
		t.Fatal(err)
	}
	if err := s.MayBootGoOn(); err != nil {
		t.Error(err)
	}
	file := path + "/" + goesOn
	said, err := os.ReadFile(file)
	if err != nil || !strings.HasSuffix(string(said), "\n5 of 5\n") {
		t.Fatalf("%q, %v", said, err)
	}
	for _, other := range []string{"", "root 1 2\n5 of 5\n", "root ", strings.TrimSuffix(string(said), "\n5 of 5\n"), "x" + string(said)} {
		if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.MayBootGoOn(); err == nil {
			t.Errorf("%q lets it go on", other)
		}
	}
	if err := os.WriteFile(file, said, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := s.MayBootGoOn(); err == nil {
		t.Error("what everybody can write lets it go on")
	}
	if err := s.HoldBoot(); err != nil {
		t.Fatal(err)
	}
	if err := s.MayBootGoOn(); err == nil {
		t.Error("it was taken back")
	}
}
