//go:build linux

package kernelload

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// store returns a program that stores done into the context's stage, and
// returns result.
func store(stage loadctx.Stage, result int32) []byte {
	var b []byte
	add := func(op, regs byte, off int16, imm int32) {
		b = append(b, op, regs)
		b = binary.NativeEndian.AppendUint16(b, uint16(off))
		b = binary.NativeEndian.AppendUint32(b, uint32(imm))
	}
	add(0xb7, 2, 0, int32(stage))
	add(0x63, 1|2<<4, loadctx.OffStage, 0)
	add(0xb7, 0, 0, result)
	add(0x95, 0, 0, 0)
	return b
}

func settings() Settings { return Settings{ContextSize: uint32(loadctx.Size(2))} }

// attempt tries a payload, and fails if it leaves a descriptor open.
func attempt(t *testing.T, p Payload, s Settings) (*Result, *Error) {
	t.Helper()
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := open()
	var result *Result
	err := OnThread(func() (err error) {
		result, err = Try(p, s)
		return err
	})
	if errors.Is(err, unix.EPERM) {
		t.Skip("no permission to use BPF")
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
	var failed *Error
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("untyped error %v", err)
	}
	return result, failed
}

func TestTryRunsTheProgram(t *testing.T) {
	p := Payload{Profile: bpfabi.Bound, Instructions: store(loadctx.StageDone, 0), Metadata: make([]byte, 64)}
	result, failed := attempt(t, p, settings())
	if failed != nil || len(result.FDs) != 0 {
		t.Errorf("%+v, %v", result, failed)
	}
	p.Instructions = store(loadctx.StageAttach, -int32(unix.EBUSY))
	if _, failed := attempt(t, p, settings()); failed == nil || failed.Step != StepInside || failed.Errno != unix.EBUSY || failed.Stage != loadctx.StageAttach {
		t.Errorf("%v", failed)
	}
}

func TestTryRefusesWhatMakesNoSense(t *testing.T) {
	good := Payload{Profile: bpfabi.Bound, Instructions: store(loadctx.StageDone, 0), Metadata: make([]byte, 64)}
	for name, c := range map[string]struct {
		change func(*Payload, *Settings)
		step   Step
	}{
		"no metadata":             {func(p *Payload, _ *Settings) { p.Metadata = nil }, StepMap},
		"odd metadata":            {func(p *Payload, _ *Settings) { p.Metadata = make([]byte, 63) }, StepFill},
		"no instructions":         {func(p *Payload, _ *Settings) { p.Instructions = nil }, StepLoad},
		"half an instruction":     {func(p *Payload, _ *Settings) { p.Instructions = p.Instructions[:12] }, StepLoad},
		"a jump out":              {func(p *Payload, _ *Settings) { p.Instructions = p.Instructions[:24] }, StepLoad},
		"short context":           {func(_ *Payload, s *Settings) { s.ContextSize = loadctx.OffStage }, StepRun},
		"long context":            {func(_ *Payload, s *Settings) { s.ContextSize = 1 << 16 }, StepRun},
		"odd context":             {func(_ *Payload, s *Settings) { s.ContextSize++ }, StepRun},
		"input outside":           {func(_ *Payload, s *Settings) { s.Inputs = map[int]int32{2: 1} }, StepRun},
		"input before":            {func(_ *Payload, s *Settings) { s.Inputs = map[int]int32{-1: 1} }, StepRun},
		"output outside":          {func(_ *Payload, s *Settings) { s.Outputs = []int{2} }, StepResult},
		"closed token":            {func(_ *Payload, s *Settings) { s.Token = new(bpfsys.FD) }, StepMap},
		"unfinished":              {func(p *Payload, _ *Settings) { p.Instructions = store(loadctx.StageAttach, 0) }, StepResult},
		"positive result":         {func(p *Payload, _ *Settings) { p.Instructions = store(loadctx.StageDone, 1) }, StepResult},
		"impossible result":       {func(p *Payload, _ *Settings) { p.Instructions = store(loadctx.StageDone, -4096) }, StepResult},
		"descriptor that is none": {func(_ *Payload, s *Settings) { s.Outputs, s.Inputs = []int{0}, map[int]int32{0: 1 << 30} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := good, settings()
			c.change(&p, &s)
			_, failed := attempt(t, p, s)
			if c.step == 0 {
				return // taken; its caller asks the kernel about each descriptor
			}
			if failed == nil || failed.Step != c.step {
				t.Errorf("%v, want %v", failed, c.step)
			}
		})
	}
}

// An empty signature must not become a load without one.
func TestAnEmptySignatureIsNone(t *testing.T) {
	p := Payload{Profile: bpfabi.Bound, Instructions: store(loadctx.StageDone, 0), Metadata: make([]byte, 64), CMS: []byte{}}
	_, failed := attempt(t, p, settings())
	if failed == nil || failed.Step != StepLoad && failed.Step != StepMap {
		t.Errorf("%v", failed)
	}
}

func TestASignatureThatIsNoneIsRefused(t *testing.T) {
	for _, profile := range bpfabi.Profiles() {
		p := Payload{Profile: profile, Instructions: store(loadctx.StageDone, 0), Metadata: make([]byte, 64), CMS: []byte("no signature")}
		if _, failed := attempt(t, p, settings()); failed == nil {
			t.Errorf("%v: it was loaded", profile)
		}
	}
}

// The context that a program gets is -1 in every slot but the inputs.
func TestContextsStartWithoutDescriptors(t *testing.T) {
	ctx, err := newContext(&Settings{ContextSize: uint32(loadctx.Size(4)) + 8, Inputs: map[int]int32{1: 7}, Tunables: []byte("variable")}, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{-1, 7, -1, -1} {
		if got := slot(ctx, i); got != want {
			t.Errorf("slot %d: %d, want %d", i, got, want)
		}
	}
	if token := binary.NativeEndian.Uint32(ctx[loadctx.OffToken:]); token != 5 {
		t.Errorf("token %d", token)
	}
	for at := range loadctx.OffSlots {
		if at/4 != loadctx.OffToken/4 && ctx[at] != 0 {
			t.Errorf("byte %d is %d", at, ctx[at])
		}
	}
	if got := string(ctx[loadctx.SlotOffset(4):]); got != "variable" {
		t.Errorf("the context ends in %q", got)
	}
	setLog(ctx, Position{Stage: loadctx.StageProgram, Index: 3}, 0x1000, 64)
	if stage, index := position(ctx); stage != loadctx.StageProgram || index != 3 || ctx[loadctx.OffLogLevel] != logLevel {
		t.Errorf("log of %v %d", stage, index)
	}
}
