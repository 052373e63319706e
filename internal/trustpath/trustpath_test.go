//go:build linux

package trustpath

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// here is a tree that stands for the whole file system, and its owner for root.
func here(t *testing.T) (walker, string) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"/", "/etc", "/etc/tbpf"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, root+"/etc/tbpf/policy.toml", "threshold = 1\n")
	return walker{root: root, owner: uint32(os.Getuid())}, root
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestReadFileReturnsWhatIsThere(t *testing.T) {
	w, root := here(t)
	got, err := w.readFile("/etc/tbpf/policy.toml", 14)
	if err != nil || string(got) != "threshold = 1\n" {
		t.Errorf("%q, %v", got, err)
	}
	large := bytes.Repeat([]byte("x"), 100_000)
	put(t, root+"/etc/tbpf/large", string(large))
	if got, err := w.readFile("/etc/tbpf/large", 100_000); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := w.readFile("/etc/tbpf/none", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := w.readFile("/etc/none/policy.toml", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
}

// Each case changes one thing on the way to a file that was fine (A23).
func TestReadFileRefuses(t *testing.T) {
	const file = "/etc/tbpf/policy.toml"
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		path   string
		change func(root string)
		why    string
	}{
		"a file that its group may write to":      {file, func(r string) { check(os.Chmod(r+file, 0o664)) }, "may write"},
		"a file that all may write to":            {file, func(r string) { check(os.Chmod(r+file, 0o646)) }, "may write"},
		"a directory that its group may write to": {file, func(r string) { check(os.Chmod(r+"/etc/tbpf", 0o775)) }, "may write"},
		"a directory above that all may write to": {file, func(r string) { check(os.Chmod(r+"/etc", 0o757)) }, "may write"},
		"a sticky directory":                      {file, func(r string) { check(os.Chmod(r+"/etc", 0o777|os.ModeSticky)) }, "may write"},
		"a root that all may write to":            {file, func(r string) { check(os.Chmod(r, 0o777)) }, "may write"},
		"a symbolic link": {file, func(r string) {
			check(os.Rename(r+file, r+"/etc/real"))
			check(os.Symlink("../real", r+file))
		}, "symbolic link"},
		"a directory that is a symbolic link": {file, func(r string) {
			check(os.Rename(r+"/etc/tbpf", r+"/etc/real"))
			check(os.Symlink("real", r+"/etc/tbpf"))
		}, "symbolic link"},
		"a directory": {"/etc/tbpf", func(string) {}, "not a regular file"},
		"the root":    {"/", func(string) {}, "not a regular file"},
		"a FIFO": {file, func(r string) {
			check(os.Remove(r + file))
			check(unix.Mkfifo(r+file, 0o600))
		}, "not a regular file"},
		"a file that is too large": {file, func(r string) { put(t, r+file, strings.Repeat("#", 15)) }, "more than 14 bytes"},
		"a relative path":          {"etc/tbpf/policy.toml", func(string) {}, "not an absolute path"},
		"a path with ..":           {"/etc/../etc/tbpf/policy.toml", func(string) {}, "in it"},
		"a path with //":           {"/etc//tbpf/policy.toml", func(string) {}, "in it"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, root := here(t)
			c.change(root)
			_, err := w.readFile(c.path, 14)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Why, c.why) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestOthersThanTheOwnerAreRefused(t *testing.T) {
	w, _ := here(t)
	w.owner++
	if _, err := w.readFile("/etc/tbpf/policy.toml", 14); err == nil || !strings.Contains(err.Error(), "/: it belongs to user") {
		t.Errorf("%v", err)
	}
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	for _, path := range []string{"/etc/tbpf/policy.toml", "/etc/tbpf", "/etc"} {
		w, root := here(t)
		if err := os.Chown(root+path, 1, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := w.readFile("/etc/tbpf/policy.toml", 14); err == nil || !strings.Contains(err.Error(), path+": it belongs to user 1") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestNamesAreSortedAndBounded(t *testing.T) {
	w, root := here(t)
	for _, name := range []string{"b", "a", "c"} {
		put(t, root+"/etc/"+name, "")
	}
	d, err := w.openDir("/etc")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 2 { // a second time gives the same
		if got, err := d.Names(); err != nil || !slices.Equal(got, []string{"a", "b", "c", "tbpf"}) {
			t.Errorf("%q, %v", got, err)
		}
	}
	for _, name := range []string{"", ".", "..", "tbpf/policy.toml", "a\x00b"} {
		if _, err := d.ReadFile(name, 100); err == nil {
			t.Errorf("ReadFile(%q) reads", name)
		}
	}
	if d.Path() != "/etc" {
		t.Errorf("path %s", d.Path())
	}
}

func TestWriteFileReplacesWhole(t *testing.T) {
	w, root := here(t)
	d, err := w.makeDir("/var/lib/tbpf")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Lock(); err != nil {
		t.Fatal(err)
	}
	put(t, root+"/var/lib/tbpf/floor.new", "left by a process that died")
	for _, text := range []string{"one", "", "three and more"} {
		if err := d.WriteFile("floor", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := d.ReadFile("floor", 100); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	info, err := os.Stat(filepath.Join(root, "var/lib/tbpf/floor"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(filepath.Join(root, "var/lib/tbpf")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// Who can open it could hold its lock: it does not stay open to others.
	if err := os.Chmod(filepath.Join(root, "var/lib/tbpf"), 0o755); err != nil {
		t.Fatal(err)
	}
	again, err := w.makeDir("/var/lib/tbpf")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if info, err = os.Stat(filepath.Join(root, "var/lib/tbpf")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := w.makeDir("/"); err == nil {
		t.Error("the root is made private")
	}
	if names, err := d.Names(); err != nil || !slices.Equal(names, []string{"floor"}) {
		t.Errorf("%q, %v", names, err)
	}
	if err := errors.Join(d.Remove("floor"), d.Remove("floor")); err != nil {
		t.Errorf("Remove: %v", err)
	}
	other, err := w.openDir("/var/lib/tbpf")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(other.FD(), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Errorf("the lock keeps nobody out: %v", err)
	}
}

// A directory that somebody else could change is not made use of, and none is
// made in it.
func TestMakeDirRefusesWhatOthersMayWriteTo(t *testing.T) {
	w, root := here(t)
	if err := os.Chmod(root+"/etc", 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := w.makeDir("/etc/new/deep"); err == nil {
		t.Error("made")
	}
	if _, err := os.Stat(root + "/etc/new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
