package skeleton

import (
	"fmt"
	"slices"

	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// plan is everything that the loader program is to do, in order, with the
// places where file descriptors go: fd numbers index the table in the
// metadata, slots the context.
type plan struct {
	obj      *object
	maps     []*mapPlan
	progs    []*progPlan
	symbols  []*symbolPlan
	tables   []*tablePlan
	tunables []*tunablePlan // by name
	slots    int
	context  int // bytes

	fds     int // entries of the table
	btfFD   int
	tempFDs []int // closed when the loader program ends, whatever happened
}

// symbolPlan is one kernel symbol with all instructions that need it.
type symbolPlan struct {
	name string
	kind string
	weak bool
	uses []progUse
	fd   int // of the module's BTF, for kinds that have one
}

type progUse struct {
	prog *progPlan
	symbolUse
}

// firstMapFD is the table index of the first map. Index 0 stays unused: in a
// kfunc call, offset 0 means vmlinux and not a table entry.
const firstMapFD = 1

// newPlan decides what the loader program does for an object.
func newPlan(o *object, opt Options) (*plan, error) {
	if err := o.choose(opt); err != nil {
		return nil, err
	}
	p := &plan{obj: o, fds: firstMapFD}
	var err error
	if p.maps, err = planMaps(o, opt); err != nil {
		return nil, err
	}
	if err := opt.checkMaps(p.maps); err != nil {
		return nil, err
	}
	if err := p.planTables(opt); err != nil {
		return nil, err
	}
	for _, m := range p.maps {
		m.fd, m.slot = p.fd(), p.slot()
		if m.perCPU {
			p.slot()
		}
		if m.keep {
			m.keepSlot = p.slot()
		}
		if m.inner != nil {
			m.inner.fd = p.tempFD()
		}
	}
	if p.progs, err = planPrograms(o, p.maps, opt.Targets); err != nil {
		return nil, err
	}
	if err := p.planOperations(); err != nil {
		return nil, err
	}
	if err := p.attachLater(); err != nil {
		return nil, err
	}
	if len(p.maps)+len(p.progs) == 0 {
		return nil, fmt.Errorf("not a BPF object: it has neither programs nor maps")
	}
	if err := p.checkProgArrays(); err != nil {
		return nil, err
	}
	for _, prog := range p.progs {
		prog.fd, prog.slot = p.fd(), p.slot()
		if prog.target.lookup != "" {
			prog.targetFD = p.tempFD()
		}
		if prog.target.input != "" && prog.target.by == byKernel {
			prog.input = p.slot()
			if prog.target.direction || prog.target.replaces {
				p.slot()
			}
		}
		if prog.target.by == byKernel {
			prog.linkFD, prog.link = p.fd(), p.slot()
		}
	}
	for _, m := range p.maps {
		if m.ops != nil {
			m.linkFD, m.link = p.fd(), p.slot()
		}
	}
	for _, t := range p.tables {
		t.typesFD = p.tempFD()
	}
	if p.slots > loadctx.MaxSlots {
		return nil, &UnsupportedError{Name: "object", Why: fmt.Sprintf("its maps, programs and links need %d file descriptors: more than %d", p.slots, loadctx.MaxSlots)}
	}
	if o.btf != nil {
		p.btfFD = p.tempFD()
	}
	p.planSymbols()
	p.context = loadctx.Size(p.slots)
	if err := p.planTunables(opt.Tunables); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *plan) slot() int { p.slots++; return p.slots - 1 }
func (p *plan) fd() int   { p.fds++; return p.fds - 1 }

func (p *plan) tempFD() int {
	fd := p.fd()
	p.tempFDs = append(p.tempFDs, fd)
	return fd
}

// planSymbols collects the symbols that programs use, by name.
func (p *plan) planSymbols() {
	for _, prog := range p.progs {
		for _, use := range prog.uses {
			i, ok := slices.BinarySearchFunc(p.symbols, use.name, func(s *symbolPlan, name string) int {
				switch {
				case s.name < name:
					return -1
				case s.name > name:
					return 1
				}
				return 0
			})
			if !ok {
				e := p.obj.externs[use.name]
				p.symbols = slices.Insert(p.symbols, i, &symbolPlan{name: use.name, kind: e.kind, weak: e.weak})
			}
			p.symbols[i].uses = append(p.symbols[i].uses, progUse{prog, use})
		}
	}
	for _, s := range p.symbols {
		if s.kind != "address" {
			s.fd = p.tempFD()
		}
	}
}

// checkProgArrays makes sure that program arrays are filled with programs of
// this object.
func (p *plan) checkProgArrays() error {
	for _, m := range p.maps {
		if m.inner != nil {
			continue
		}
		for _, e := range m.entries {
			if p.prog(e.ref) == nil {
				return &UnsupportedError{Name: fmt.Sprintf("map %q", m.name), Why: fmt.Sprintf("its initial value %q is no program of this object", e.ref)}
			}
		}
	}
	return nil
}

// prog finds a program by name.
func (p *plan) prog(name string) *progPlan {
	for _, prog := range p.progs {
		if prog.name == name {
			return prog
		}
	}
	return nil
}

// mapNamed finds a map by name.
func (p *plan) mapNamed(name string) *mapPlan {
	for _, m := range p.maps {
		if m.name == name {
			return m
		}
	}
	return nil
}
