package signer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFilesAreWrittenWithTheirModes(t *testing.T) {
	dir := t.TempDir()
	old := syscall.Umask(0) // what the files get must not hang on it
	defer syscall.Umask(old)
	paths, err := WriteFiles(dir, "release", File{Suffix: ".key", Data: []byte("secret"), Secret: true}, File{Suffix: ".crt", Data: []byte("public")})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 2 || paths[0] != filepath.Join(dir, "release.key") || paths[1] != filepath.Join(dir, "release.crt") {
		t.Errorf("paths %q", paths)
	}
	for path, want := range map[string]struct {
		data string
		mode fs.FileMode
	}{"release.key": {"secret", 0o600}, "release.crt": {"public", 0o644}} {
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || string(data) != want.data {
			t.Errorf("%s: %q, %v", path, data, err)
		}
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode() != want.mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// A34: never overwritten; and a pair is written whole or not at all.
func TestNothingIsOverwritten(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"file":          func(path string) error { return os.WriteFile(path, []byte("old"), 0o600) },
		"dangling link": func(path string) error { return os.Symlink(path+".elsewhere", path) },
		"link to a file": func(path string) error {
			return errors.Join(os.WriteFile(path+".elsewhere", []byte("old"), 0o600), os.Symlink(path+".elsewhere", path))
		},
	} {
		for _, taken := range []string{"n.key", "n.crt"} {
			dir := t.TempDir()
			if err := make(filepath.Join(dir, taken)); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, err = WriteFiles(dir, "n", File{Suffix: ".key", Data: []byte("new"), Secret: true}, File{Suffix: ".crt", Data: []byte("new")})
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s at %s: %v", name, taken, err)
			}
			after, err := os.ReadDir(dir)
			if err != nil || len(after) != len(before) {
				t.Errorf("%s at %s: %d files became %d", name, taken, len(before), len(after))
			}
			if data, err := os.ReadFile(filepath.Join(dir, taken)); err == nil && string(data) != "old" {
				t.Errorf("%s at %s: now %q", name, taken, data)
			}
		}
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := WriteFiles(dir, "n", File{Suffix: ".key", Data: []byte("new"), Secret: true}, File{Suffix: "/../../x", Data: []byte("new")}); err == nil {
		t.Error("a file outside the directory is written")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if _, err := WriteFiles(filepath.Join(dir, "missing"), "n"); err == nil {
		t.Error("a missing directory is taken")
	}
	closed, err := os.Create(filepath.Join(dir, "closed"))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if err := writeOut(closed, nil); err == nil {
		t.Error("an error of fsync or close is not noticed")
	}
}

// A09, A10: names become paths and stand in messages.
func TestCheckName(t *testing.T) {
	for _, name := range []string{"release", "release key 2026", "schlüssel", "a.b", "a-b", strings.Repeat("n", 64)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", ".hidden", "-n", "a/b", "/a", `a\b`, "a\x00b", "a\nb", "a\x1b[31m", "a\u202eb", "a\u2028b", "\xff", strings.Repeat("n", 65)} {
		if err := CheckName(name); err == nil {
			t.Errorf("%q is taken", name)
		} else if strings.ContainsAny(err.Error(), "\x00\n\x1b\u202e\u2028") {
			t.Errorf("the error about %q is not escaped", name)
		}
		if _, err := WriteFiles(t.TempDir(), name, File{Suffix: ".key"}); err == nil {
			t.Errorf("%q is written", name)
		}
	}
}
