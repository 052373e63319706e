//go:build vmguest

package guesttest

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/sign"
)

// A signed function takes the place of one of a pinned program as long as its
// link, and of that one alone.
func TestAFunctionIsReplaced(t *testing.T) {
	pins := filepath.Join("/sys/fs/bpf", t.Name())
	target, err := loadSigned(t, "testdata/subprogs.bpf.o", sign.Options{ObjectName: "subprogs.bpf.o", Name: "subprogs"}, loader.Options{Pin: pins})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := loader.Unload(pins, "subprogs"); err != nil {
			t.Error(err)
		}
	}()
	program := filepath.Join(pins, "subprogs", "programs", "call_some")
	expect := func(when string, want uint32) {
		t.Helper()
		p, err := ebpf.LoadPinnedProgram(program, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if got, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", when, got, err, want)
		}
	}
	const itself, replaced = 2, 0
	replace := func(isolate bool, path string) (*loader.Loaded, error) {
		opt := loader.Options{Isolate: isolate}
		if path != "" {
			opt.Attach = map[string]string{"plus_four": path}
		}
		return loadSigned(t, "testdata/fails/freplace.bpf.o", sign.Options{ObjectName: "freplace.bpf.o", Name: "freplace"}, opt)
	}
	expect("before", itself)
	for _, isolate := range []bool{false, true} {
		if isolate && kernel(t) == "6.1" {
			continue // it has no tokens
		}
		for what, path := range map[string]string{
			"no program": "", "nothing there": program + "x", "a map": filepath.Join(pins, "subprogs", "maps", "numbers"), "a file": "/proc/version",
		} {
			before := programs(t)
			l, err := replace(isolate, path)
			var refusal *loader.Error
			if l != nil || !errors.As(err, &refusal) || refusal.Reason != "attach-target" || refusal.Name != "plus_four" {
				t.Errorf("isolated %v, %s: %v", isolate, what, err)
			}
			expectNothingNew(t, what, before)
		}
		l, err := replace(isolate, program)
		if err != nil {
			t.Fatalf("isolated %v: %v", isolate, err)
		}
		expect("replaced", replaced)
		r := l.Report()
		if len(r.Links) != 1 || r.Programs[0].Attached != "kernel" || !strings.Contains(r.Programs[0].Target, "plus_three of "+program) {
			t.Errorf("isolated %v: report %+v", isolate, r)
		}
		if second, err := replace(isolate, program); err == nil {
			t.Errorf("isolated %v: replaced twice: %+v", isolate, second.Report())
		}
		expect("after a second one", replaced)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		expect("afterwards", itself)
	}
}
