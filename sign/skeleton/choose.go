package skeleton

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
)

// choose takes the programs out of an object that are not to be loaded. Their
// functions stay where other programs call them.
func (o *object) choose(opt Options) error {
	for i, name := range opt.Without {
		if slices.Contains(opt.Without[:i], name) {
			return &UnsupportedError{Name: fmt.Sprintf("program %q", name), Why: "it is to be left out twice"}
		}
		if _, ok := o.spec.Programs[name]; !ok {
			return &UnsupportedError{Name: fmt.Sprintf("program %q", name), Why: "it is to be left out, and the object has none of this name"}
		}
		delete(o.spec.Programs, name)
	}
	if opt.programs != nil {
		maps.DeleteFunc(o.spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return !slices.Contains(opt.programs, name) })
	}
	return nil
}
