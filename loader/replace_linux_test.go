package loader

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// pinned loads a version of mini and leaves only its pins.
func pinned(t *testing.T, dir string, version uint64, opt Options) Report {
	t.Helper()
	x := newMini()
	x.m.Version = version
	opt.Pin = dir
	l, err := loadMini(t, x, opt)
	if err != nil {
		t.Fatal(err)
	}
	r := l.Report()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

// found is what is pinned as mini.
func found(t *testing.T, dir string) Report {
	t.Helper()
	r, ok, err := StatusOf(dir, "mini")
	if err != nil || !ok {
		t.Fatalf("found %v, %v", ok, err)
	}
	return r
}

func TestReplaceTakesAPlace(t *testing.T) {
	dir := newBPFFS(t)
	first := pinned(t, dir, 1, Options{})
	if _, err := loadMini(t, newMini(), Options{Pin: dir}); err == nil {
		t.Fatal("it is replaced without being asked for")
	}
	second := pinned(t, dir, 2, Options{Replace: true})
	now := found(t, dir)
	if now.Version != 2 || now.Programs[0].ID != second.Programs[0].ID || now.Programs[0].LoadTime != second.Programs[0].LoadTime || !slices.Equal(first.Pins, second.Pins) {
		t.Errorf("%+v after %+v", now, second)
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"mini"}) {
		t.Errorf("there is %q", got)
	}
	if !mapIsGone(first.Maps[0].ID) {
		t.Error("the first one's map is still there")
	}
	if err := Unload(dir, "mini"); err != nil {
		t.Error(err)
	}
	if _, ok, err := StatusOf(dir, "mini"); ok || err != nil {
		t.Errorf("after unload: %v, %v", ok, err)
	}
	// With nothing there it is a load like any other.
	pinned(t, dir, 3, Options{Replace: true})
}

// A directory of pins that is no bpffs of its own is replaced as well, and goes.
func TestReplaceTakesThePlaceOfAPlainDirectory(t *testing.T) {
	dir := newBPFFS(t)
	old := filepath.Join(dir, "mini")
	if err := errors.Join(os.Mkdir(old, 0o700), os.Mkdir(old+"/maps", 0o700), os.Symlink(mark{name: "mini", version: 1}.String(), old+"/"+markName)); err != nil {
		t.Fatal(err)
	}
	pinned(t, dir, 2, Options{Replace: true})
	if found(t, dir).Version != 2 || !slices.Equal(entries(t, dir), []string{"mini"}) {
		t.Errorf("%+v, %q", found(t, dir), entries(t, dir))
	}
}

// Where the new object fails, at whatever step, the old one stays as it was.
func TestAFailedReplaceLeavesTheOldOne(t *testing.T) {
	dir := newBPFFS(t)
	first := pinned(t, dir, 1, Options{})
	for what, change := range map[string]func(*mini){
		"the verifier refuses":  func(x *mini) { x.programBreaks = true },
		"not what was signed":   func(x *mini) { x.license = "MIT" },
		"a map is missing":      func(x *mini) { x.mapSlot = -1 },
		"a map is to be kept":   func(x *mini) { x.m.Maps[0].Pinning = manifest.PinningByName },
		"a need is not met":     func(x *mini) { x.m.Kernel.Minimum = "99.0" },
		"the loader gives up":   func(x *mini) { x.result = -int32(unix.EINVAL) },
		"two names are one pin": func(x *mini) { x.m.Maps[0].Name, x.m.Programs[0].Maps = "a/b", []string{"a/b"} },
	} {
		x := newMini()
		change(x)
		if _, err := loadMini(t, x, Options{Pin: dir, Replace: true}); err == nil {
			t.Fatalf("%s: loaded", what)
		}
		if now := found(t, dir); now.Version != 1 || now.Programs[0].ID != first.Programs[0].ID || !slices.Equal(entries(t, dir), []string{"mini"}) {
			t.Errorf("%s: %+v, %q", what, now, entries(t, dir))
		}
	}
	x := newMini()
	x.m.Maps[0].Pinning = manifest.PinningByName
	_, err := loadMini(t, x, Options{Pin: dir, Replace: true})
	mustRefuse(t, err, Failed, "map-not-kept")
}

// Only what tbpf made is replaced (A26).
func TestReplaceLeavesForeignThingsAlone(t *testing.T) {
	for what, make := range map[string]func(path string) error{
		"a directory without a mark": func(path string) error { return os.MkdirAll(path+"/maps", 0o700) },
		"a symbolic link":            func(path string) error { return os.Symlink("/tmp", path) },
		"a directory that all may write to": func(path string) error {
			return errors.Join(os.MkdirAll(path+"/maps", 0o700), os.Symlink(mark{name: "mini"}.String(), path+"/"+markName), os.Chmod(path, 0o777))
		},
		"a directory of another user": func(path string) error {
			return errors.Join(os.MkdirAll(path+"/maps", 0o700), os.Symlink(mark{name: "mini"}.String(), path+"/"+markName), os.Chown(path, 1000, 1000))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := newBPFFS(t)
			if err := make(filepath.Join(dir, "mini")); err != nil {
				t.Fatal(err)
			}
			if _, err := loadMini(t, newMini(), Options{Pin: dir, Replace: true}); err == nil {
				t.Error("it was replaced")
			}
			if got := entries(t, dir); !slices.Equal(got, []string{"mini"}) {
				t.Errorf("there is %q", got)
			}
		})
	}
}
