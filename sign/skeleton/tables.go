package skeleton

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// tablePlan is one structure of functions that maps of the object fill in,
// with the layouts that it has on the kernels the object is made for.
type tablePlan struct {
	name     string
	layouts  []*manifest.Layout
	maps     []*mapPlan
	programs map[string]*progPlan // by name
	typesFD  int                  // the types of a probe, or the module that has the structure
}

// flagLink makes a struct_ops map one that a link attaches (BPF_F_LINK).
const flagLink = 1 << 13

// planTables makes the maps of the object's structures.
func (p *plan) planTables(opt Options) error {
	for _, ops := range p.obj.structOps {
		if slices.ContainsFunc(p.maps, func(m *mapPlan) bool { return m.name == ops.name }) {
			return fmt.Errorf("parse object: two maps are named %q", ops.name)
		}
		t, err := p.table(ops, opt)
		if err != nil {
			return err
		}
		m := &mapPlan{
			name: ops.name, kernelName: kernelName(ops.name), typ: bpfabi.MapStructOps,
			keySize: 4, maxEntries: 1, flags: flagLink, ops: ops, table: t,
		}
		for _, l := range t.layouts {
			placed, err := ops.on(l)
			if err != nil {
				return err
			}
			m.placed = append(m.placed, placed)
			m.valueSize = max(m.valueSize, l.ValueSize)
		}
		t.maps = append(t.maps, m)
		p.maps = append(p.maps, m)
	}
	return nil
}

// table finds or makes the plan of a structure.
func (p *plan) table(ops *structOps, opt Options) (*tablePlan, error) {
	for _, t := range p.tables {
		if t.name == ops.typ {
			return t, nil
		}
	}
	layouts, err := opt.layouts(ops)
	if err != nil {
		return nil, err
	}
	t := &tablePlan{name: ops.typ, layouts: layouts, programs: make(map[string]*progPlan)}
	p.tables = append(p.tables, t)
	return t, nil
}

// layouts are those that a structure has on the kernels whose types were
// given, each once, in the order of the kernels.
func (opt Options) layouts(ops *structOps) ([]*manifest.Layout, error) {
	refuse := func(why string) ([]*manifest.Layout, error) {
		return nil, &UnsupportedError{Name: fmt.Sprintf("map %q", ops.name), Why: "struct_ops: " + why}
	}
	if known, ok := opt.Layouts[ops.typ]; ok {
		return known, nil
	}
	if len(opt.KernelTypes) == 0 {
		return refuse(fmt.Sprintf("the layout of struct %s is the running kernel's: name the types of the kernels that it is for with --kernel-btf", ops.typ))
	}
	var all []*manifest.Layout
	for _, kernel := range opt.KernelTypes {
		l, err := kernel.layout(ops.typ)
		if err != nil {
			return refuse(err.Error())
		}
		if l != nil && !slices.ContainsFunc(all, func(o *manifest.Layout) bool { return reflect.DeepEqual(o, l) }) {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return refuse(fmt.Sprintf("no kernel whose types were given has struct %s", ops.typ))
	}
	return all, nil
}

// planOperations gives each program of a structure its target: the structure,
// and in each layout the index of its member.
func (p *plan) planOperations() error {
	for _, m := range p.maps {
		if m.ops == nil {
			continue
		}
		for k, placed := range m.placed {
			for _, f := range placed.funcs {
				prog := p.prog(f.program)
				if prog == nil || bpfabi.ProgramType(prog.spec.Type) != bpfabi.ProgramStructOps || prog.optional {
					return &UnsupportedError{Name: fmt.Sprintf("map %q", m.name), Why: fmt.Sprintf("struct_ops: it calls %q, which is no struct_ops program that is always loaded", f.program)}
				}
				member := m.table.name + "." + m.table.layouts[k].Members[f.index].Name
				if prog.target.name != "" && prog.target.name != member {
					return &UnsupportedError{Name: fmt.Sprintf("program %q", prog.name), Why: fmt.Sprintf("struct_ops: it is %s and %s", prog.target.name, member)}
				}
				prog.target = target{by: byNone, name: member, lookup: m.table.name, lookupKind: kindStruct}
				m.table.programs[prog.name] = prog
			}
		}
	}
	for _, prog := range p.progs {
		if bpfabi.ProgramType(prog.spec.Type) != bpfabi.ProgramStructOps {
			continue
		}
		if prog.target.name == "" {
			return &UnsupportedError{Name: fmt.Sprintf("program %q", prog.name), Why: "struct_ops: no structure of the object calls it"}
		}
		prog.spec.AttachType = 0 // the loader program sets it: the member's index
	}
	return nil
}

// mapIndex is the number of a map.
func (p *plan) mapIndex(m *mapPlan) int { return slices.Index(p.maps, m) }

// describeStructOps says in the manifest's words what the map holds.
func (m *mapPlan) describeStructOps() *manifest.StructOps {
	d := &manifest.StructOps{Type: m.table.name, Link: m.link, Functions: []manifest.Function{}}
	for _, l := range m.table.layouts {
		d.Layouts = append(d.Layouts, *l)
	}
	for _, f := range m.placed[0].funcs {
		d.Functions = append(d.Functions, manifest.Function{Member: m.table.layouts[0].Members[f.index].Name, Program: f.program})
	}
	slices.SortFunc(d.Functions, func(a, b manifest.Function) int { return cmp.Compare(a.Member, b.Member) })
	return d
}

// tableImage is what the metadata has of a structure.
type tableImage struct {
	choice int // the layout that this kernel has
	value  int // the name of the structure that is the maps' value
	probes []probeImage
}

// probeImage is where a probe lies: the attributes of its BTF_LOAD and
// PROG_LOAD, and what they point to.
type probeImage struct {
	btf, attr                            int
	types, insns, license, funcs, relocs int
}

// addTables lays out the attributes of the probes.
func (m *image) addTables(p *plan) {
	for _, t := range p.tables {
		img := tableImage{choice: m.alloc(8)}
		for range t.layouts {
			probe := probeImage{btf: m.alloc(btfLoadLen), attr: m.alloc(progLoadLen)}
			m.put32(probe.attr+progLoadType, uint32(bpfabi.ProgramSyscall))
			m.put32(probe.attr+progLoadFlags, bpfabi.ProgramFlagSleepable)
			img.probes = append(img.probes, probe)
		}
		m.tables[t] = img
	}
}

// addProbes appends what they point to.
func (m *image) addProbes(p *plan) {
	for _, t := range p.tables {
		img := m.tables[t]
		img.value = m.add(append([]byte(valuePrefix+t.name), 0))
		for k, l := range t.layouts {
			made, at := newProbe(t.name, l), &img.probes[k]
			at.types, at.insns, at.funcs, at.relocs = m.add(made.types), m.add(made.insns), m.add(made.funcs), m.add(made.relocs)
			at.license = m.add([]byte("Dual BSD/GPL\x00"))
			m.put32(at.btf+btfLoadSize, uint32(len(made.types)))
			m.put32(at.attr+progLoadInsnCount, uint32(len(made.insns)/8))
			m.put32(at.attr+progLoadFuncSize, funcRecordSize)
			m.put32(at.attr+progLoadFuncCount, uint32(len(made.funcs)/funcRecordSize))
			m.put32(at.attr+progLoadReloSize, reloRecordSize)
			m.put32(at.attr+progLoadReloCount, uint32(len(made.relocs)/reloRecordSize))
		}
		m.tables[t] = img
	}
}
