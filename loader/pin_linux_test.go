package loader

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// newBPFFS mounts a bpffs for one test.
func newBPFFS(t *testing.T) string {
	t.Helper()
	needBPF(t)
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, "mode=0700"); err != nil {
		t.Skipf("no bpffs can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// entries lists a directory of a bpffs, without what some kernels put into each
// (maps.debug, progs.debug): only they may have names with a dot.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		if !strings.Contains(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestPinsAreThereAndUnloadTakesThemDown(t *testing.T) {
	dir := filepath.Join(newBPFFS(t), "pins")
	x := newMini()
	x.m.Name, x.m.Version = "mini.v1", 7
	l, err := loadMini(t, x, Options{Pin: dir})
	if err != nil {
		t.Fatal(err)
	}
	r := l.Report()
	want := []string{dir + "/mini_v1/maps/counts", dir + "/mini_v1/programs/count"}
	if !slices.Equal(r.Pins, want) {
		t.Errorf("pins %q, want %q", r.Pins, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pin := range want {
		fd, err := bpfsys.GetPinned(pin)
		if err != nil {
			t.Fatalf("%s: %v", pin, err)
		}
		fd.Close()
	}
	status, err := Status(dir)
	if err != nil || len(status) != 1 {
		t.Fatalf("%+v, %v", status, err)
	}
	s := status[0]
	if s.Name != "mini.v1" || s.Version != 7 || s.Digest != r.Digest || s.Profile != unsigned || s.KernelVerified ||
		len(s.Maps) != 1 || s.Maps[0] != r.Maps[0] || len(s.Programs) != 1 || s.Programs[0] != r.Programs[0] || !slices.Equal(s.Pins, want) {
		t.Errorf("status %+v, load reported %+v", s, r)
	}
	if err := Unload(dir, "mini.v1"); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("after unload there is %q", left)
	}
	if !mapIsGone(r.Maps[0].ID) {
		t.Error("the map is still there")
	}
	mustRefuse(t, Unload(dir, "mini.v1"), Failed, "not-loaded")
}

// A26: nothing that is there already is touched.
func TestATakenNameIsRefused(t *testing.T) {
	dir := newBPFFS(t)
	path := filepath.Join(dir, "mini")
	for name, take := range map[string]func() error{
		"symlink":            func() error { return os.Symlink("/tmp", path) },
		"dangling symlink":   func() error { return os.Symlink("nowhere", path) },
		"foreign directory":  func() error { return os.MkdirAll(path+"/other", 0o700) },
		"mount":              func() error { return errors.Join(os.Mkdir(path, 0o700), unix.Mount("bpf", path, "bpf", 0, "")) },
		"the object, loaded": func() error { _, err := loadMini(t, newMini(), Options{Pin: dir}); return err },
		"a pin": func() error {
			l, err := loadMini(t, newMini(), Options{})
			if err != nil {
				return err
			}
			return bpfsys.Pin(l.maps["counts"], path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := take(); err != nil {
				t.Fatal(err)
			}
			before := entries(t, dir)
			_, err := loadMini(t, newMini(), Options{Pin: dir})
			mustRefuse(t, err, Failed, "pin-exists")
			if after := entries(t, dir); !slices.Equal(before, after) {
				t.Errorf("%q before, %q after", before, after)
			}
			_ = unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A31: what a dead process left is no obstacle, and goes.
func TestLeftoversAreTakenDown(t *testing.T) {
	dir := newBPFFS(t)
	old, err := loadMini(t, newMini(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	partial := filepath.Join(dir, partialPrefix+"0011")
	if err := errors.Join(os.MkdirAll(partial+"/maps", 0o700), os.Mkdir(filepath.Join(dir, "mini"), 0o700),
		bpfsys.Pin(old.maps["counts"], partial+"/maps/counts")); err != nil {
		t.Fatal(err)
	}
	id := old.Report().Maps[0].ID
	old.Close()
	if _, err := loadMini(t, newMini(), Options{Pin: dir}); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"mini"}) {
		t.Errorf("there is %q", got)
	}
	if !mapIsGone(id) {
		t.Error("the map of the partial load is still there")
	}
}

// Where others could make directories before, one with the name of a leftover
// is no way to have root remove other files.
func TestForeignLeftoversAreLeftAlone(t *testing.T) {
	dir := newBPFFS(t)
	victim := t.TempDir()
	precious := filepath.Join(victim, "precious")
	foreign, ours, link := filepath.Join(dir, partialPrefix+"1"), filepath.Join(dir, partialPrefix+"2"), filepath.Join(dir, partialPrefix+"3")
	if err := errors.Join(os.WriteFile(precious, nil, 0o600),
		os.MkdirAll(foreign+"/maps", 0o700), os.Chown(foreign, 1000, 1000),
		os.Mkdir(ours, 0o700), os.Symlink(victim, ours+"/maps"), os.Symlink(victim, link)); err != nil {
		t.Fatal(err)
	}
	_, err := loadMini(t, newMini(), Options{Pin: dir})
	if err == nil {
		t.Error("a leftover that is none was taken for one")
	}
	if err := os.RemoveAll(ours); err != nil {
		t.Fatal(err)
	}
	if _, err := loadMini(t, newMini(), Options{Pin: dir}); err != nil {
		t.Error(err)
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"mini", partialPrefix + "1", partialPrefix + "3"}) {
		t.Errorf("there is %q", got)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestAFailedLoadLeavesNoPins(t *testing.T) {
	root := newBPFFS(t)
	for name, change := range map[string]func(*mini){
		"refused by the verifier": func(x *mini) { x.programBreaks = true },
		"not what was signed":     func(x *mini) { x.m.Maps[0].MaxEntries++ },
		"pinned half": func(x *mini) { // a program's name that cannot be a file's
			x.m.Programs[0].Name = "a/b"
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, "pins")
			x := newMini()
			change(x)
			if _, err := loadMini(t, x, Options{Pin: dir}); err == nil {
				t.Fatal("it was loaded")
			}
			if left := entries(t, root); len(left) != 0 {
				t.Errorf("there is %q", left)
			}
		})
	}
}

// Names that differ in dots alone would have one pin.
func TestPinsOfOneNameAreRefused(t *testing.T) {
	dir := newBPFFS(t)
	l, err := loadMini(t, newMini(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.maps["counts.x"], l.maps["counts_x"] = l.maps["counts"], l.maps["counts"]
	err = onOtherThread(func() error {
		s, err := newStage(dir, "mini", false)
		if err != nil {
			return err
		}
		return errors.Join(l.pin(s, new(manifest.Manifest)), s.close())
	})
	mustRefuse(t, err, Failed, "pin-failed")
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("there is %q", left)
	}
}

func TestPinDirectoriesThatOthersControlAreRefused(t *testing.T) {
	root := newBPFFS(t)
	dir := filepath.Join(root, "pins")
	plain := t.TempDir()
	for name, c := range map[string]struct {
		make    func() error
		dir     string
		verdict Verdict
		reason  string
	}{
		"not a bpffs":     {func() error { return nil }, plain, Failed, "not-a-bpffs"},
		"new, not bpffs":  {func() error { return nil }, filepath.Join(plain, "new"), Failed, "not-a-bpffs"},
		"symlink":         {func() error { return os.Symlink(root, filepath.Join(plain, "link")) }, filepath.Join(plain, "link"), Failed, "pin-failed"},
		"no parent":       {func() error { return nil }, filepath.Join(root, "no", "parent"), Failed, "pin-failed"},
		"world-writable":  {func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) }, dir, Permission, "not-permitted"},
		"group-writable":  {func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770)) }, dir, Permission, "not-permitted"},
		"sticky":          {func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777|os.ModeSticky)) }, dir, Permission, "not-permitted"},
		"of another user": {func() error { return errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, 1000, 1000)) }, dir, Permission, "not-permitted"},
	} {
		_ = os.Remove(dir)
		if name == "of another user" {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.make(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err := loadMini(t, newMini(), Options{Pin: c.dir})
		if err == nil {
			t.Errorf("%s: it was loaded", name)
			continue
		}
		mustRefuse(t, err, c.verdict, c.reason)
	}
	if _, err := os.Stat(filepath.Join(plain, "new")); err == nil {
		t.Error("a directory was made and left")
	}
}

// A user namespace cannot make a bpffs. There the pins are made in a directory
// beside the final one, which is renamed.
func TestPinsAreRenamedWhereNoBPFFSCanBeMade(t *testing.T) {
	dir := newBPFFS(t)
	l, err := loadMini(t, newMini(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	partial := func(pin bool) error {
		return onOtherThread(func() error {
			s, err := newStage(dir, "mini", false)
			if err != nil {
				return err
			}
			if s.partial == "" {
				_ = s.work.Close()
				if err := s.makePartial(); err != nil {
					return errors.Join(err, s.close())
				}
			}
			if got := entries(t, dir); !slices.Equal(got, []string{s.partial}) {
				t.Errorf("there is %q", got)
			}
			if !pin {
				return s.close()
			}
			return errors.Join(l.pin(s, new(manifest.Manifest)), s.close())
		})
	}
	if err := partial(false); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Fatalf("there is %q", left)
	}
	if err := partial(true); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"mini"}) {
		t.Errorf("there is %q", got)
	}
	if s, err := Status(dir); err != nil || len(s) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := Unload(dir, filepath.Join(dir, "mini")); err != nil {
		t.Error(err)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("there is %q", left)
	}
}

// Two processes never work in one pin directory, and neither waits forever.
func TestThePinDirectoryIsLocked(t *testing.T) {
	dir := newBPFFS(t)
	held, _, err := openPinDir(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := lock(held, 0); err != nil {
		t.Fatal(err)
	}
	other, _, err := openPinDir(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := lock(other, 50*time.Millisecond); err == nil {
		t.Error("a lock was given twice")
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		held.Close()
	}()
	if err := lock(other, 10*time.Second); err != nil {
		t.Error(err)
	}
}

// What takes the name while the object is being loaded keeps it.
func TestANameThatIsTakenMeanwhileIsNotReplaced(t *testing.T) {
	dir := newBPFFS(t)
	path := filepath.Join(dir, "mini")
	for _, take := range []func() error{
		func() error { return os.Mkdir(path, 0o700) },
		func() error { return os.Symlink("/tmp", path) },
	} {
		l, err := loadMini(t, newMini(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = onOtherThread(func() error {
			s, err := newStage(dir, "mini", false)
			if err != nil {
				return err
			}
			if err := take(); err != nil {
				return errors.Join(err, s.close())
			}
			return errors.Join(l.pin(s, new(manifest.Manifest)), s.close())
		})
		mustRefuse(t, err, Failed, "pin-exists")
		if got := entries(t, dir); !slices.Equal(got, []string{"mini"}) {
			t.Errorf("there is %q", got)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// Unload removes what tbpf made and nothing else.
func TestUnloadLeavesForeignDirectoriesAlone(t *testing.T) {
	dir := newBPFFS(t)
	if err := os.MkdirAll(filepath.Join(dir, "foreign", "maps"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"foreign", filepath.Join(dir, "foreign"), "", ".", "..", dir, "/", "nothing", filepath.Join(dir, "..")} {
		if err := Unload(dir, what); err == nil {
			t.Errorf("%q was unloaded", what)
		}
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"foreign"}) {
		t.Errorf("there is %q", got)
	}
	if s, err := Status(dir); err != nil || len(s) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := Status(filepath.Join(dir, "not", "there")); err != nil || s == nil || len(s) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNamesThatAreNoFileAreRefused(t *testing.T) {
	dir := newBPFFS(t)
	for _, name := range []string{"", "a/b", "../x", "/", "nul\x00", string(make([]byte, 256)), partialPrefix + "x"} {
		x := newMini()
		x.m.Name = name
		_, err := loadMini(t, x, Options{Pin: dir})
		mustRefuse(t, err, Failed, "pin-name")
	}
}

func TestMarksAreReadAsTheyWereWritten(t *testing.T) {
	for _, m := range []mark{
		{name: "guard", version: 1, digest: "sha256:00", profile: "bound", kernelVerified: true},
		{name: "with space \"and\" quote\n", digest: "sha256:ff", profile: "unsigned", token: true, version: 1<<64 - 1},
		{name: "", digest: "x", profile: "y"},
	} {
		if got, err := parseMark(m.String()); err != nil || got != m {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
	}
	for _, s := range []string{"", "/tmp", "tbpf-object/1", "tbpf-object/2 version=0 digest=x profile=y verified=true token=true name=\"z\"",
		"tbpf-object/1 version=0 digest=x profile=y verified=true token=true name=\"z\" more", "tbpf-object/1 version=00 digest=x profile=y verified=true token=true name=\"z\""} {
		if m, err := parseMark(s); err == nil {
			t.Errorf("%q was read as %+v", s, m)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add(mark{name: "guard", version: 1, digest: "sha256:00", profile: "bound", kernelVerified: true}.String())
	f.Add("tbpf-object/1 version=-1 digest= profile= verified=x token=1 name=``")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMark(s); err == nil && m.String() != s {
			t.Errorf("%q was read as %q", s, m)
		}
	})
}

// A31: running out of descriptors at any step leaves nothing: no pin, no map,
// no open descriptor.
func TestRunningOutOfDescriptorsLeavesNothing(t *testing.T) {
	dir := newBPFFS(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for extra := uint64(0); ; extra++ {
		if extra > 30 {
			t.Fatal("30 descriptors are not enough for a load")
		}
		// Descriptors are numbered from the lowest that is free.
		low := unix.Rlimit{Cur: uint64(before) + extra, Max: limit.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		l, err := load(oldKernel{}, sealedBy(newMini()), Options{KernelVerify: IfAvailable, Pin: dir})
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			t.Logf("a load takes %d descriptors", extra)
			if err := errors.Join(l.Close(), Unload(dir, "mini")); err != nil {
				t.Fatal(err)
			}
			break
		}
		if e := asError(err); e.Verdict() != Failed && e.Verdict() != Permission {
			t.Errorf("with %d more: %v", extra, err)
		}
		if left := entries(t, dir); len(left) != 0 {
			t.Fatalf("with %d more: there is %q after %v", extra, left, err)
		}
		if after := descriptors(t); after > before {
			t.Fatalf("with %d more: %d descriptors are open, %d before, after %v", extra, after, before, err)
		}
	}
}
