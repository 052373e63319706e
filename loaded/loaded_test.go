//go:build linux

package loaded

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestNamesThatLeadElsewhereAreRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "/etc", "a\x00"} {
		if _, err := Open(name, Options{Dir: t.TempDir()}); err == nil || errors.Is(err, ErrNotLoaded) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if file, err := pin(".rodata"); err != nil || file != "_rodata" {
		t.Errorf("%q, %v", file, err)
	}
}

func TestWhatIsNotInABPFFSIsNotLoaded(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open("guard", Options{Dir: dir}); err == nil || errors.Is(err, ErrNotLoaded) {
		t.Errorf("in an ordinary directory: %v", err)
	}
	if _, err := Open("guard", Options{Dir: filepath.Join(dir, "missing")}); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("without a directory: %v", err)
	}
}
