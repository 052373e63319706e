//go:build linux

package bpfsys

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// missing skips a test for want of something; in CI that is a failure.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// array makes an array map, or skips where this process may not.
func array(t *testing.T, spec MapSpec) *FD {
	t.Helper()
	m, err := CreateMap(spec)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		missing(t, "no permission to use BPF")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func spec() MapSpec {
	return MapSpec{Name: "test.map", Type: bpfabi.MapArray, KeySize: 4, ValueSize: 16, MaxEntries: 1}
}

// closeOnExec fails if the descriptor would be inherited.
func closeOnExec(t *testing.T, fd *FD) {
	t.Helper()
	if flags, err := unix.FcntlInt(uintptr(fd.Int()), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor %d: flags %x, %v", fd.Int(), flags, err)
	}
}

func TestMaps(t *testing.T) {
	m := array(t, spec())
	closeOnExec(t, m)
	info, err := GetMapInfo(m)
	if err != nil || info.Name != "test.map" || info.Type != bpfabi.MapArray || info.KeySize != 4 || info.ValueSize != 16 || info.MaxEntries != 1 || info.Flags != 0 || info.ID == 0 {
		t.Errorf("%+v, %v", info, err)
	}
	key, value, got := make([]byte, 4), []byte("sixteen bytes..."), make([]byte, 16)
	if err := UpdateElem(m, key, value, 0); err != nil {
		t.Fatal(err)
	}
	if err := LookupElem(m, key, got); err != nil || !bytes.Equal(got, value) {
		t.Errorf("%q, %v", got, err)
	}
	next := make([]byte, 4)
	if err := NextKey(m, nil, next); err != nil || !bytes.Equal(next, key) {
		t.Errorf("next key %v, %v", next, err)
	}
	if frozen, err := Frozen(m); err != nil || frozen {
		t.Errorf("frozen %v, %v", frozen, err)
	}
	if err := FreezeMap(m); err != nil {
		t.Fatal(err)
	}
	if frozen, err := Frozen(m); err != nil || !frozen {
		t.Errorf("frozen %v, %v", frozen, err)
	}
	if err := UpdateElem(m, key, value, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("a frozen map was written: %v", err)
	}
	if sum, err := HashMap(m); err == nil {
		if sum != sha256.Sum256(value) {
			t.Errorf("digest %x", sum)
		}
	} else if !errors.Is(err, unix.E2BIG) { // a kernel without digests
		t.Error(err)
	}
	other, err := OpenMap(info.ID)
	if err != nil {
		t.Fatal(err)
	}
	closeOnExec(t, other)
	if again, err := GetMapInfo(other); err != nil || again != info {
		t.Errorf("%+v, %v", again, err)
	}
	other.Close()
}

func TestNamesAreNeverCut(t *testing.T) {
	s := spec()
	for name, ok := range map[string]bool{"": true, "fifteen_bytes__": true, "sixteen_bytes___": false} {
		s.Name = name
		m, err := CreateMap(s)
		if errors.Is(err, unix.EPERM) {
			missing(t, "no permission to use BPF")
		}
		if (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
		m.Close()
	}
}

// exit returns r0 = value; exit.
func exit(value byte) []byte {
	return []byte{0xb7, 0, 0, 0, value, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}
}

func TestPrograms(t *testing.T) {
	m := array(t, spec())
	// Map 0 of the array, then r0 = -5: the verifier binds the map.
	code := slices.Concat([]byte{0x18, 0x51, 0, 0, 0, 0, 0, 0}, make([]byte, 8),
		[]byte{0xb7, 0, 0, 0, 0xfb, 0xff, 0xff, 0xff, 0x95, 0, 0, 0, 0, 0, 0, 0})
	prog, err := LoadProgram(ProgramSpec{Name: "test_prog", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable,
		License: "GPL", Instructions: code, Maps: []*FD{m}})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	closeOnExec(t, prog)
	mapInfo, err := GetMapInfo(m)
	if err != nil {
		t.Fatal(err)
	}
	info, err := GetProgramInfo(prog)
	if err != nil || info.Type != bpfabi.ProgramSyscall || info.Name != "test_prog" || !info.GPLCompatible || !slices.Equal(info.MapIDs, []uint32{mapInfo.ID}) || info.AttachBTFID != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	if ret, err := RunSyscallProgram(prog, make([]byte, 8)); err != nil || ret != -5 {
		t.Errorf("it returned %d, %v", ret, err)
	}
	other, err := OpenProgram(info.ID)
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
}

func TestProgramsThatTheVerifierRefusesHaveALog(t *testing.T) {
	array(t, spec())
	log := make([]byte, 64<<10)
	prog, err := LoadProgram(ProgramSpec{Name: "bad", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "GPL",
		Instructions: exit(0)[8:], LogLevel: 1, Log: log})
	if err == nil {
		prog.Close()
		t.Fatal("a program without a result was loaded")
	}
	var failed *Error
	if !errors.As(err, &failed) || failed.Command != bpfabi.CommandProgLoad || !bytes.Contains(log, []byte("R0 !read_ok")) {
		t.Errorf("%v, %q", err, unix.ByteSliceToString(log))
	}
}

func TestInstructionsAreWhole(t *testing.T) {
	for _, code := range [][]byte{nil, exit(0)[:15], {0x95}} {
		if prog, err := LoadProgram(ProgramSpec{Type: bpfabi.ProgramSyscall, License: "GPL", Instructions: code}); err == nil {
			prog.Close()
			t.Errorf("%d bytes were loaded", len(code))
		}
	}
	if _, err := LoadProgram(ProgramSpec{Type: bpfabi.ProgramSyscall, License: "GPL\x00", Instructions: exit(0)}); err == nil {
		t.Error("a license with a NUL was cut")
	}
}

// A descriptor that was closed must not become the number -1, or another's.
func TestClosedDescriptorsAreNotUsed(t *testing.T) {
	m := array(t, spec())
	m.Close()
	token := new(FD)
	withToken := spec()
	withToken.Token = token
	_, createErr := CreateMap(withToken)
	_, loadErr := LoadProgram(ProgramSpec{Type: bpfabi.ProgramSyscall, License: "GPL", Instructions: exit(0), Token: token})
	_, mapsErr := LoadProgram(ProgramSpec{Type: bpfabi.ProgramSyscall, License: "GPL", Instructions: exit(0), Maps: []*FD{m}})
	_, runErr := RunSyscallProgram(m, nil)
	_, infoErr := GetMapInfo(m)
	_, tokenErr := CreateToken(m)
	_, linkErr := CreatePerfEventLink(m, m)
	_, rawErr := OpenRawTracepoint("x", m)
	_, multiErr := CreateKProbeMultiLink(m, bpfabi.AttachTraceKProbeMulti, []string{"x"}, false)
	for i, err := range []error{createErr, loadErr, mapsErr, runErr, infoErr, tokenErr, linkErr, rawErr, multiErr, FreezeMap(m), UpdateElem(m, nil, nil, 0), Pin(m, "/x")} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestPins(t *testing.T) {
	m := array(t, spec())
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, "mode=0700"); err != nil {
		missing(t, "no bpffs can be mounted: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	path := filepath.Join(dir, "map")
	if err := Pin(m, path); err != nil {
		t.Fatal(err)
	}
	if err := Pin(m, path); !errors.Is(err, unix.EEXIST) {
		t.Errorf("pinned twice: %v", err)
	}
	got, err := GetPinned(path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	closeOnExec(t, got)
	want, _ := GetMapInfo(m)
	if info, err := GetMapInfo(got); err != nil || info != want {
		t.Errorf("%+v, %v", info, err)
	}
	for _, p := range []string{"", "nul\x00", filepath.Join(dir, "nothing"), t.TempDir()} {
		if fd, err := GetPinned(p); err == nil {
			fd.Close()
			t.Errorf("%q gave a descriptor", p)
		}
	}
}

func TestRawTracepointLinks(t *testing.T) {
	array(t, spec())
	prog, err := LoadProgram(ProgramSpec{Name: "raw", Type: bpfabi.ProgramRawTracepoint, License: "GPL", Instructions: exit(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	link, err := OpenRawTracepoint("task_rename", prog)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	closeOnExec(t, link)
	progInfo, err := GetProgramInfo(prog)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := GetLinkInfo(link); err != nil || info.Type != bpfabi.LinkRawTracepoint || info.ProgramID != progInfo.ID || info.Tracepoint != "task_rename" {
		t.Errorf("%+v, %v", info, err)
	}
	if l, err := OpenRawTracepoint("no_such_tracepoint", prog); !errors.Is(err, unix.ENOENT) {
		l.Close()
		t.Errorf("%v", err)
	}
}

func TestTokens(t *testing.T) {
	array(t, spec())
	have, err := HaveTokens()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := NewFD(n)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	if token, err := CreateToken(fd); err == nil {
		token.Close()
		t.Errorf("a token came from %s (kernel has tokens: %v)", dir, have)
	}
}
