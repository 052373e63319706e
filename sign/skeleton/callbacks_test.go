package skeleton

import (
	"bytes"
	"testing"
)

// What a program calls when it throws stands behind it, with what that calls, and
// once: functions that the program has anyway are not repeated.
func TestCallbacksFollowTheirPrograms(t *testing.T) {
	o, err := parseObject(fixtures(t, "modern.bpf.o")["modern"])
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(o, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"throws_to_callback", "throws_again"} {
		prog := p.prog(name)
		if got := len(prog.funcs) / funcRecordSize; got != 3 {
			t.Errorf("%s has %d functions, want itself, the callback and what both call", name, got)
		}
		// The callback calls another function: its code differs there alone.
		code := o.funcs["caught"].code
		if at := bytes.Index(prog.insns, code[len(code)-8:]); at < 0 || o.callbacks[name].name != "caught" {
			t.Errorf("%s: callback %q", name, o.callbacks[name].name)
		}
		size := len(o.funcs[name].code) + len(code) + len(o.funcs["more"].code)
		if len(prog.insns) != size {
			t.Errorf("%s has %d bytes, want %d", name, len(prog.insns), size)
		}
	}
	if prog := p.prog("throws"); len(prog.insns) != len(o.funcs["throws"].code) {
		t.Errorf("a program without a callback has %d bytes", len(prog.insns))
	}
}

// Structures that are created only when asked for are left out, with the programs
// that only they call.
func TestOptionalStructuresAreLeftOut(t *testing.T) {
	s := generate(t, fixtures(t, "parts.bpf.o")["parts"])
	if len(s.Manifest.Programs) != 1 || s.Manifest.Programs[0].Name != "call" || len(s.Manifest.Maps) != 0 {
		t.Errorf("programs %+v, maps %+v", s.Manifest.Programs, s.Manifest.Maps)
	}
}
