//go:build linux

package worker

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// requests are one of each kind.
func requests() []*request {
	return []*request{
		{op: opSignatures},
		{op: opChecksNothing},
		{op: opTry, settings: settings{profile: bpfabi.Bound, instructions: 16, metadata: 8, context: 40}},
		{op: opTry, settings: settings{
			profile: bpfabi.Selfcheck, instructions: 1 << 20, metadata: 1 << 16, cms: 178, digest: [32]byte{1, 31: 2}, keyring: -9, context: 65528,
			log:    &kernelload.Position{Stage: loadctx.StageProgram, Index: 7},
			inputs: []inputSlot{{slot: 3, value: -1}, {slot: 4, fd: true}}, tunables: []byte("12345678"), outputs: []int{0, 1, loadctx.MaxSlots - 1},
		}},
	}
}

func answers() []*answer {
	return []*answer{
		{}, {yes: true}, {slots: []int{2, 0, 1}},
		{failed: &kernelload.Error{Step: kernelload.StepInside, Errno: unix.EPERM, Stage: loadctx.StageMap, Index: 2, Cause: unix.EPERM}},
		{failed: &kernelload.Error{Step: kernelload.StepResult, Cause: errors.New("it returned 7"), Log: []byte("a log\n")}},
	}
}

func TestMessagesSurvive(t *testing.T) {
	for _, want := range requests() {
		if got, err := decodeRequest(want.encode()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	for _, want := range answers() {
		got, err := decodeAnswer(want.encode())
		if err != nil || !bytes.Equal(got.encode(), want.encode()) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		if f := want.failed; f != nil && (got.failed.Error() != f.Error() || got.failed.Errno != f.Errno || string(got.failed.Log) != string(f.Log)) {
			t.Errorf("%+v, want %+v", got.failed, f)
		}
	}
}

// The largest request and the largest answer fit into a message.
func TestMessagesHaveRoom(t *testing.T) {
	r := &request{op: opTry, settings: settings{profile: bpfabi.Bound, log: &kernelload.Position{}}}
	r.settings.tunables = make([]byte, loadctx.MaxTunables)
	a := &answer{}
	for slot := range loadctx.MaxSlots {
		r.settings.inputs = append(r.settings.inputs, inputSlot{slot: slot})
		r.settings.outputs = append(r.settings.outputs, slot)
		a.slots = append(a.slots, slot)
	}
	failed := &answer{failed: &kernelload.Error{Step: kernelload.StepRun, Log: make([]byte, 2*maxLog), Cause: errors.New(strings.Repeat("x", 2*maxText))}}
	for _, b := range [][]byte{r.encode(), a.encode(), failed.encode()} {
		if len(b) > maxMessage {
			t.Errorf("%d bytes", len(b))
		}
	}
	got, err := decodeAnswer(failed.encode())
	if err != nil || len(got.failed.Log) != maxLog || len(got.failed.Cause.Error()) != maxText {
		t.Errorf("%v", err)
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	try := func(change func(*settings)) []byte {
		r := requests()[3]
		change(&r.settings)
		return r.encode()
	}
	for name, b := range map[string][]byte{
		"nothing":             {},
		"operation 0":         {0},
		"mount":               {byte(opMount)},
		"ready":               {byte(opReady)},
		"failed":              {byte(opFailed)},
		"unknown":             {99},
		"trailing byte":       {byte(opSignatures), 0},
		"short":               {byte(opTry), 1},
		"profile":             try(func(s *settings) { s.profile = 99 }),
		"input twice":         try(func(s *settings) { s.inputs = append(s.inputs, s.inputs[0]) }),
		"input outside":       try(func(s *settings) { s.inputs[0].slot = loadctx.MaxSlots }),
		"input before":        try(func(s *settings) { s.inputs[0].slot = -1 }),
		"input with two ways": try(func(s *settings) { s.inputs[1].value = 5 }),
		"too many variables":  try(func(s *settings) { s.tunables = make([]byte, loadctx.MaxTunables+8) }),
		"output twice":        try(func(s *settings) { s.outputs = append(s.outputs, 0) }),
		"output outside":      try(func(s *settings) { s.outputs[0] = loadctx.MaxSlots }),
	} {
		if r, err := decodeRequest(b); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	change := func(i int, f func(*answer)) []byte {
		a := answers()[i]
		f(a)
		return a.encode()
	}
	for name, b := range map[string][]byte{
		"nothing":           {},
		"yes is 2":          {2, 0, 0, 0, 0, 0},
		"trailing byte":     {1, 0, 0, 0, 0, 0, 0},
		"more than comes":   {0, 0, 255, 255, 255, 255},
		"slot twice":        change(2, func(a *answer) { a.slots = []int{1, 1} }),
		"slot outside":      change(2, func(a *answer) { a.slots = []int{loadctx.MaxSlots} }),
		"failed with slots": change(3, func(a *answer) { a.slots = []int{1} }),
		"failed and yes":    change(3, func(a *answer) { a.yes = true }),
		"step 0":            change(3, func(a *answer) { a.failed.Step = 0 }),
		"step of nobody":    change(3, func(a *answer) { a.failed.Step = kernelload.StepResult + 1 }),
		"no error number":   change(3, func(a *answer) { a.failed.Errno = 4096 }),
		"control character": bytes.Replace(change(4, func(*answer) {}), []byte("returned"), []byte("ret\x1b[31m"), 1),
	} {
		if a, err := decodeAnswer(b); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// What decodes has one encoding, and nothing panics or takes memory beyond the
// message.
func FuzzRequest(f *testing.F) {
	for _, r := range requests() {
		f.Add(r.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRequest(b)
		if err == nil && !bytes.Equal(r.encode(), b) {
			t.Errorf("%x encodes to %x", b, r.encode())
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, a := range answers() {
		f.Add(a.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAnswer(b)
		if err == nil && !bytes.Equal(a.encode(), b) {
			t.Errorf("%x encodes to %x", b, a.encode())
		}
	})
}

func FuzzSetup(f *testing.F) {
	f.Add([]byte{byte(opFailed), byte(stepToken), 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := setupFailure(b); err != nil && err.Error() == "" {
			t.Error("no text")
		}
	})
}
