//go:build linux

package identity

import (
	"os"
	"testing"
)

// What a program wants of the kernel is known with its kind, also where
// cilium/ebpf cannot read the object.
func TestUsesOfKernelSymbols(t *testing.T) {
	typed, weak := extern{typed: true}, extern{weak: true}
	for file, programs := range map[string]map[string]map[string]extern{
		"ksym":      {"addresses": {"init_task": {}, "init_net": {}, "tbpf_no_such_symbol": weak}},
		"ksymtyped": {"look": {"runqueues": typed, "bpf_prog_active": typed, "tbpf_no_such_variable": {typed: true, weak: true}}},
		"kfuncs":    {"find_task": {"bpf_task_from_pid": typed, "bpf_task_release": typed, "tbpf_no_such_kfunc": {typed: true, weak: true}}},
	} {
		object, err := os.ReadFile("../../testdata/" + file + ".bpf.o")
		if err != nil {
			t.Fatal(err)
		}
		source, err := ReadSource(object)
		if err != nil {
			t.Fatal(err)
		}
		for program, want := range programs {
			size := 0
			for _, s := range source.symbols {
				if s.Name == program {
					size = int(s.Size)
				}
			}
			uses, err := source.uses(program, size)
			if err != nil {
				t.Fatal(err)
			}
			have := make(map[string]extern)
			for _, u := range uses {
				have[u.name] = u.extern
			}
			for name, e := range want {
				if h, ok := have[name]; !ok || h != e {
					t.Errorf("%s: %s refers to %s as %+v, %v", file, program, name, h, ok)
				}
			}
			if len(have) != len(want) {
				t.Errorf("%s: %s refers to %v", file, program, have)
			}
		}
	}
}
