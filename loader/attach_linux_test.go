package loader

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

func TestTargetsOfProbesAreRead(t *testing.T) {
	for target, want := range map[string]string{"vfs_read": "vfs_read 0", "vfs_read+8": "vfs_read 8", "vfs_read+0x10": "vfs_read 16"} {
		if name, offset, err := splitOffset(target); err != nil || fmt.Sprint(name, " ", offset) != want {
			t.Errorf("%q: %s %d, %v", target, name, offset, err)
		}
	}
	for _, target := range []string{"a+", "a+x", "a+-1", "a+4294967296", "a+1+2"} {
		if _, _, err := splitOffset(target); err == nil {
			t.Errorf("%q was read", target)
		}
	}
	for _, target := range []string{"", "main", "/bin/x", "/bin/x:", "bin/x:main", ":main", "/nowhere/x:main", "/etc/passwd:main"} {
		if file, offset, err := userFunction(target); err == nil {
			t.Errorf("%q was read as %s, %#x", target, file, offset)
		}
	}
	if file, offset, err := userFunction("/bin/x:0x123"); err != nil || file != "/bin/x" || offset != 0x123 {
		t.Errorf("%s, %#x, %v", file, offset, err)
	}
	for _, target := range []string{"", "sched", "sched/", "/sched_switch", "../x/y", "a/b/c", "sched/..", "./x"} {
		if _, err := tracepointEvent(target); err == nil {
			t.Errorf("tracepoint %q was read", target)
		}
	}
}

// The offset of a function in a file is that of its first byte.
func TestUserFunctionsAreFoundInTheFile(t *testing.T) {
	// Not the test's own binary: go test leaves the symbols out.
	if _, err := exec.LookPath("go"); err != nil && os.Getenv("TBPF_KERNEL") != "" {
		t.Skip("a virtual machine has no compiler; the machine that built this test has run it")
	}
	self := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", self, "../internal/bench/peer/nothing").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	_, offset, err := userFunction(self + ":main.main")
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := f.Section(".text")
	if offset < text.Offset || offset >= text.Offset+text.FileSize {
		t.Errorf("offset %#x is not in .text", offset)
	}
	_, next, err := userFunction(self + ":main.main+4")
	if err != nil || next != offset+4 {
		t.Errorf("offset %#x, want %#x (%v)", next, offset+4, err)
	}
	if _, _, err := userFunction(self + ":main.nothing"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a function that is not there: %v", err)
	}
	// A pattern is one only where a program may have several places.
	if _, _, err := userFunction(self + ":main.mai?"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a pattern was taken for one function: %v", err)
	}
	if _, offsets, err := userFunctions(self+":main.mai?", true); err != nil || len(offsets) != 1 || offsets[0] != offset {
		t.Errorf("main.mai?: %x, %v, want %#x", offsets, err, offset)
	}
	_, offsets, err := userFunctions(self+":runtime.*", true)
	if err != nil || len(offsets) < 50 {
		t.Errorf("runtime.*: %d functions, %v", len(offsets), err)
	}
	seen := make(map[uint64]bool)
	for _, at := range offsets {
		if seen[at] {
			t.Errorf("%#x stands twice", at)
		}
		seen[at] = true
	}
	if _, _, err := userFunctions(self+":main.[a-z]*", true); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("a pattern that others read in another way: %v", err)
	}
}

func TestFunctionsAreMatchedByPattern(t *testing.T) {
	for _, pattern := range []string{"[a-z]*", `a\*`} {
		if found, err := matchFunctions(pattern); err == nil {
			t.Errorf("%q matched %d functions", pattern, len(found))
		}
	}
	found, err := matchFunctions("vfs_rea?")
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil || !slices.Contains(found, "vfs_read") {
		t.Errorf("%q, %v", found, err)
	}
	if _, err := matchFunctions("no_such_function_*"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
}

// Which of a family of probes is meant is in the section's name, which is
// signed; one that is not known is refused and not attached as another.
func TestUnknownSectionsAreNotAttached(t *testing.T) {
	for _, section := range []string{"", "kprobes/x", "usdt/x", "kprobe.session/x", "uprobe.multi/x", "kretprobe.multi/x", "tp/x"} {
		_, err := probeEvent(&manifest.Program{Section: section, AttachTarget: "vfs_read", Type: "kprobe"}, "vfs_read")
		if !errors.Is(err, unix.EOPNOTSUPP) {
			t.Errorf("section %q: %v", section, err)
		}
		p := &manifest.Program{Name: "p", Section: section, Type: "xdp", AttachTarget: "x"}
		if _, err := attachProgram(p, "x", nil, nil); err == nil || asError(attachError(p, "x", err)).Verdict() != Unsupported {
			t.Errorf("section %q: %v", section, err)
		}
	}
}

// A kprobe is attached to the function that was signed and to no other. That the
// name of a system call is none is said.
func TestSystemCallsAreNamedByKsyscall(t *testing.T) {
	for section, want := range map[string]bool{"kprobe/sys_execve": true, "kretprobe/sys_execve": true, "kprobe/vfs_open": false} {
		_, target, _ := strings.Cut(section, "/")
		p := &manifest.Program{Name: "p", Section: section, AttachTarget: target, Type: "kprobe"}
		event, err := probeEvent(p, target)
		if !errors.Is(err, unix.EOPNOTSUPP) && (err != nil || event.Name != target) { // not all kernels have kprobes
			t.Errorf("%s: %+v, %v", section, event, err)
		}
		e := asError(attachError(p, target, unix.ENOENT))
		if got := strings.Contains(e.Hint, `SEC("ksyscall/execve")`); got != want || e.Verdict() != Unsupported {
			t.Errorf("%s: %v, hint %q", section, e, e.Hint)
		}
	}
}

// Where the signature leaves the target to the machine, the program is attached
// to what that names, and to nothing if it names nothing. What is no name never
// gets as far as the kernel.
func TestBrokerAttachesToWhatTheMachineNames(t *testing.T) {
	x := newMini()
	x.programType = bpfabi.ProgramRawTracepoint
	p := &x.m.Programs[0]
	p.Type, p.Section, p.Attach.By, p.Attach.Input = "raw_tracepoint", "raw_tp", byBroker, manifest.InputRawTracepoint
	l, err := loadMini(t, x, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := l.Report(); len(r.Links) != 0 || r.Programs[0].Attached != "" {
		t.Errorf("without a target: report %+v", r)
	}
	if l, err = loadMini(t, x, Options{Attach: map[string]string{"count": "task_rename"}}); err != nil {
		t.Fatal(err)
	}
	if r := l.Report(); len(r.Links) != 1 || r.Links[0].Target != "task_rename" || r.Programs[0].Attached != byBroker || r.Programs[0].Target != "task_rename" {
		t.Errorf("report %+v", r)
	}
	for target, reason := range map[string]string{
		"": "attach-target", "task\nrename": "attach-target", strings.Repeat("x", 1025): "attach-target", "no_such_tracepoint": "attach-target-missing",
	} {
		_, err := loadMini(t, x, Options{Attach: map[string]string{"count": target}})
		if e := asError(err); err == nil || e.Reason != reason {
			t.Errorf("target %.20q: %v", target, err)
		}
	}
	p.Attach.Input, p.AttachTarget = "", "task_newtask"
	_, err = loadMini(t, x, Options{Attach: map[string]string{"count": "task_rename"}})
	if e := asError(err); err == nil || e.Reason != "attach-target" {
		t.Errorf("a signed target was replaced: %v", err)
	}
}

// A program of the real kind is attached by the broker, seen in the report, and
// counted down with the rest. The tracepoint is one that nothing passes.
func TestBrokerAttachesToTheSignedTarget(t *testing.T) {
	x := newMini()
	x.programType = bpfabi.ProgramRawTracepoint
	p := &x.m.Programs[0]
	p.Type, p.Section, p.AttachTarget, p.Attach.By = "raw_tracepoint", "raw_tp/task_rename", "task_rename", byBroker
	l, err := loadMini(t, x, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := l.Report()
	if len(r.Links) != 1 || r.Links[0].Target != "task_rename" || r.Links[0].Type != "raw_tracepoint" || r.Programs[0].Attached != byBroker {
		t.Errorf("report %+v", r)
	}

	before := descriptors(t)
	p.AttachTarget = "no_such_tracepoint"
	_, err = loadMini(t, x, Options{})
	e := mustRefuse(t, err, Unsupported, "attach-target-missing")
	if e.Name != "count" {
		t.Errorf("it names %q", e.Name)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
	p.Optional = true
	if l, err = loadMini(t, x, Options{}); err != nil {
		t.Fatal(err)
	}
	if r := l.Report(); len(r.Links) != 0 || r.Programs[0].Attached != "" {
		t.Errorf("report %+v", r)
	}
}
