package loader

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// oldKernel is this kernel, as if it knew no signatures: everything behind the
// choice of a profile can be tested on every kernel.
type oldKernel struct{ thisKernel }

func (oldKernel) hasSignatures(*bpfsys.FD) (bool, error) { return false, nil }

// loadMini loads a loader program written by hand.
func loadMini(t *testing.T, x *mini, opt Options) (*Loaded, error) {
	t.Helper()
	needBPF(t)
	opt.KernelVerify = IfAvailable
	l, err := load(oldKernel{}, sealedBy(x), opt)
	if l != nil {
		t.Cleanup(func() { _ = l.Close() })
	}
	return l, err
}

// mustRefuse checks that err is an *Error of this verdict and reason.
func mustRefuse(t *testing.T, err error, verdict Verdict, reason string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s", err, reason)
	}
	if e.Verdict() != verdict || e.Reason != reason {
		t.Fatalf("got %s, %s (%v); want %s, %s", e.Verdict(), e.Reason, err, verdict, reason)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %q", err)
	}
	return e
}

func TestLoadReportsWhatIsInTheKernelAndCloseTakesItDown(t *testing.T) {
	before := descriptors(t)
	l, err := loadMini(t, newMini(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := l.Report()
	if r.Name != "mini" || r.Profile != unsigned || r.KernelVerified || r.Token || len(r.Maps) != 1 || len(r.Programs) != 1 || len(r.Links) != 0 || len(r.Pins) != 0 {
		t.Errorf("report %+v", r)
	}
	if l.MapFD("counts") < 3 || l.ProgramFD("count") < 3 || l.MapFD("other") != -1 {
		t.Errorf("descriptors %d, %d", l.MapFD("counts"), l.ProgramFD("count"))
	}
	if got := descriptors(t); got != before+2 {
		t.Errorf("%d descriptors are open, %d before: the loader program and its metadata must be closed", got, before)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !mapIsGone(r.Maps[0].ID) {
		t.Error("the map is still there")
	}
}

// A14, A25: whatever the loader program did, what is not as the manifest says
// is taken down.
func TestWhatCameBackMustBeWhatWasSigned(t *testing.T) {
	for name, change := range map[string]func(*mini){
		"map type":            func(x *mini) { x.mapType = bpfabi.MapHash },
		"map key size":        func(x *mini) { x.mapType, x.m.Maps[0].Type, x.keySize = bpfabi.MapHash, "hash", 8 },
		"map value size":      func(x *mini) { x.valueSize = 16 },
		"map entries":         func(x *mini) { x.entries = 4 },
		"map flags":           func(x *mini) { x.mapFlags = bpfabi.MapFlagReadOnlyProgram },
		"map name":            func(x *mini) { x.mapName = "other" },
		"map not frozen":      func(x *mini) { x.m.Maps[0].Frozen = true },
		"map extra":           func(x *mini) { x.m.Maps[0].Extra = 1 },
		"map missing":         func(x *mini) { x.mapSlot = -1 },
		"program type":        func(x *mini) { x.programType = bpfabi.ProgramSocketFilter },
		"program name":        func(x *mini) { x.programName = "other" },
		"program license":     func(x *mini) { x.license = "Proprietary" },
		"free license":        func(x *mini) { x.m.Programs[0].License = "Proprietary" },
		"program without map": func(x *mini) { x.programUsesMap = false },
		"program with map":    func(x *mini) { x.m.Programs[0].Maps = nil },
		"unknown map":         func(x *mini) { x.m.Programs[0].Maps = []string{"other"} },
		"program missing":     func(x *mini) { x.programSlot = -1 },
		"attach target": func(x *mini) {
			x.m.Programs[0].AttachTarget, x.m.Programs[0].Type, x.m.Programs[0].AttachType = "vfs_read", "tracing", "trace_fentry"
		},
		"link missing": func(x *mini) {
			x.m.Programs[0].Attach = manifest.Attach{By: byKernel, Link: 2, InputSlot: -1}
			x.m.Context = uint32(loadctx.Size(3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newMini()
			change(x)
			before := descriptors(t)
			l, err := loadMini(t, x, Options{})
			if l != nil {
				t.Fatalf("it was loaded: %+v", l.Report())
			}
			mustRefuse(t, err, Failed, "not-what-was-signed")
			if name == "map missing" || name == "program missing" {
				return // the loader program keeps the descriptor to itself
			}
			if got := descriptors(t); got != before {
				t.Errorf("%d descriptors are open, %d before", got, before)
			}
		})
	}
}

// The same for a program that the loader program attaches.
func TestWhatWasAttachedMustBeWhatWasSigned(t *testing.T) {
	if _, err := os.Stat(kernelTypesPath); err != nil {
		t.Skip(err)
	}
	l, err := loadMini(t, newMini().tracing("task_rename"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := l.Report()
	if len(r.Links) != 1 || r.Links[0].Target != "task_rename" || r.Programs[0].Attached != byKernel || r.Programs[0].Target != "task_rename" {
		t.Errorf("report %+v", r)
	}
	for name, change := range map[string]func(*mini){
		"other target": func(x *mini) { x.target = "task_newtask" },
		"other target, not attached": func(x *mini) {
			x.target, x.linkSlot, x.m.Programs[0].Attach = "task_newtask", -1, manifest.Attach{By: "none", Link: -1, InputSlot: -1}
		},
		"not attached": func(x *mini) { x.linkSlot = -1 },
		"program in the place of the link": func(x *mini) {
			x.linkSlot, x.m.Programs[0].Slot, x.m.Programs[0].Attach.Link = -1, 2, 1
		},
		"no target signed":                  func(x *mini) { x.m.Programs[0].AttachTarget = "" },
		"link of a program that is missing": func(x *mini) { x.m.Programs[0].Optional, x.programSlot = true, -1 },
	} {
		t.Run(name, func(t *testing.T) {
			x := newMini().tracing("task_rename")
			change(x)
			l, err := loadMini(t, x, Options{})
			if l != nil {
				t.Fatalf("it was loaded: %+v", l.Report())
			}
			mustRefuse(t, err, Failed, "not-what-was-signed")
		})
	}
}

func TestSwappedAndDuplicatedDescriptorsAreRefused(t *testing.T) {
	x := newMini()
	x.swap = true
	if _, err := loadMini(t, x, Options{}); err == nil {
		t.Error("swapped descriptors were taken")
	}
	x = newMini()
	x.duplicate = true
	_, err := loadMini(t, x, Options{})
	mustRefuse(t, err, Failed, "loader-program-result")
}

func TestAResultThatContradictsItselfIsRefused(t *testing.T) {
	for name, change := range map[string]func(*mini){
		"stage":            func(x *mini) { x.stage = loadctx.StageAttach },
		"positive result":  func(x *mini) { x.result = 1 },
		"impossible errno": func(x *mini) { x.result = -4096 },
	} {
		t.Run(name, func(t *testing.T) {
			x := newMini()
			change(x)
			_, err := loadMini(t, x, Options{})
			mustRefuse(t, err, Failed, "loader-program-result")
		})
	}
}

// The kernel makes device maps read-only for programs, whatever was asked for.
func TestFlagsThatTheKernelAddsAreNoMismatch(t *testing.T) {
	x := newMini()
	x.mapType, x.valueSize, x.programUsesMap = bpfabi.MapDevMap, 4, false
	x.m.Maps[0].Type, x.m.Maps[0].ValueSize, x.m.Programs[0].Maps = "devmap", 4, nil
	if _, err := loadMini(t, x, Options{}); err != nil {
		t.Error(err)
	}
}

func TestFrozenMapsAreSeenAsFrozen(t *testing.T) {
	x := newMini()
	x.freeze, x.m.Maps[0].Frozen = true, true
	if _, err := loadMini(t, x, Options{}); err != nil {
		t.Error(err)
	}
}

func TestOptionalProgramsMayBeMissing(t *testing.T) {
	x := newMini()
	x.programSlot = -1
	x.m.Programs[0].Optional = true
	l, err := loadMini(t, x, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r := l.Report(); len(r.Programs) != 1 || !r.Programs[0].Skipped || l.ProgramFD("count") != -1 {
		t.Errorf("report %+v", r)
	}
}

func TestVerifierRefusalHasItsLog(t *testing.T) {
	x := newMini()
	x.programBreaks = true
	before := descriptors(t)
	_, err := loadMini(t, x, Options{})
	e := mustRefuse(t, err, VerifierRefused, "program-refused")
	if e.Name != "count" || e.Errno != unix.EACCES || !bytes.Contains(e.Log, []byte("R3 !read_ok")) {
		t.Errorf("name %q, errno %v, log %q", e.Name, e.Errno, e.Log)
	}
	if e.ExitCode() != 21 {
		t.Errorf("exit code %d", e.ExitCode())
	}
	if got := descriptors(t); got != before {
		t.Errorf("%d descriptors are open, %d before", got, before)
	}
}

func TestTheContextMustFitTheSlots(t *testing.T) {
	for _, size := range []uint32{0, 8, loadctx.OffSlots - 8, 33, 1 << 16} {
		x := newMini()
		x.m.Context = size
		if _, err := loadMini(t, x, Options{}); err == nil {
			t.Errorf("a context of %d bytes was used", size)
		}
	}
}

func TestUnknownAttachTargetsAreRefused(t *testing.T) {
	for _, attach := range []map[string]string{{"nothing": "lo"}, {"count": "lo"}} {
		_, err := loadMini(t, newMini(), Options{Attach: attach})
		mustRefuse(t, err, Failed, "attach-target")
	}
}

func TestLoadWithoutAnObject(t *testing.T) {
	_, err := Load(nil, Options{})
	mustRefuse(t, err, Failed, "nothing-verified")
}
