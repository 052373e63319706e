package skeleton

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Source registers that give an immediate its meaning (include/uapi/linux/bpf.h).
const (
	pseudoMapFD       = 1
	pseudoMapValue    = 2
	pseudoBTFID       = 3
	pseudoFunc        = 4
	pseudoMapIdx      = 5
	pseudoMapIdxValue = 6
	pseudoCall        = 1
	pseudoKfuncCall   = 2
)

// progPlan is one program that the loader program loads.
type progPlan struct {
	name       string
	kernelName string
	spec       *ebpf.ProgramSpec
	optional   bool
	target     target
	insns      []byte
	funcs      []byte // func_info records
	lines      []byte // line_info records
	relos      []byte // CO-RE records
	uses       []symbolUse
	helpers    []string
	kfuncs     []string
	maps       []string
	slot       int
	link       int // slot, -1 without
	input      int // slot, -1 without
	fd         int // index in the metadata's table of file descriptors
	linkFD     int // likewise, if link is not -1
	targetFD   int // likewise: the BTF of the module that has the target
}

// symbolUse is an instruction that needs what a kernel symbol resolves to.
type symbolUse struct {
	name string
	off  int // bytes, in the program's instructions
	call bool
}

// planPrograms links the programs, in the order in which the object has them.
func planPrograms(o *object, all []*mapPlan, targets map[string]string) ([]*progPlan, error) {
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		spec, ok := o.spec.Programs[name]
		if !ok {
			return nil, &UnsupportedError{Name: fmt.Sprintf("program %q", name), Why: "the object has no such program to give a target to"}
		}
		if err := setTarget(spec, targets[name]); err != nil {
			return nil, err
		}
	}
	names := slices.Collect(maps.Keys(o.spec.Programs))
	slices.SortFunc(names, func(a, b string) int {
		x, y := o.funcs[a], o.funcs[b]
		return cmp.Or(cmp.Compare(x.index, y.index), cmp.Compare(x.value, y.value), cmp.Compare(a, b))
	})
	fds := make(map[string]int)
	for _, m := range all {
		fds[m.name] = m.fd
	}
	var progs []*progPlan
	called := calledFunctions(o.spec)
	for _, name := range names {
		spec := o.spec.Programs[name]
		if spec.Type == ebpf.UnspecifiedProgram && called[name] {
			continue // a function of other programs, in a section of its own
		}
		if spec.Type == ebpf.StructOps && o.unasked[name] {
			continue
		}
		p := &progPlan{name: name, kernelName: kernelName(name), spec: spec, optional: strings.HasPrefix(spec.SectionName, "?"), link: -1, input: -1}
		var err error
		if p.target, err = targetOf(spec); err != nil {
			return nil, err
		}
		if known := uint32(bpfabi.ProgramFlagSleepable | bpfabi.ProgramFlagXDPHasFrags); spec.Flags&^known != 0 {
			return nil, &UnsupportedError{Name: fmt.Sprintf("program %q", name), Why: fmt.Sprintf("program flags %#x", spec.Flags)}
		}
		if strings.ContainsRune(spec.License, 0) {
			return nil, &UnsupportedError{Name: fmt.Sprintf("program %q", name), Why: "there is more in section license than its licence, which ends at the first NUL"}
		}
		if err := p.assemble(o, fds); err != nil {
			return nil, err
		}
		progs = append(progs, p)
	}
	return progs, nil
}

// calledFunctions are the functions that are part of programs.
func calledFunctions(spec *ebpf.CollectionSpec) map[string]bool {
	called := make(map[string]bool)
	for _, p := range spec.Programs {
		if p.Type == ebpf.UnspecifiedProgram {
			continue
		}
		for i := range p.Instructions {
			called[p.Instructions[i].Symbol()] = true
		}
	}
	return called
}

// assemble concatenates the program's functions, exactly as the object has their
// bytes, and resolves what can be resolved when signing.
func (p *progPlan) assemble(o *object, fds map[string]int) error {
	starts := make(map[string]int) // functions in insns, in bytes
	helpers, kfuncs, mapNames := make(map[string]bool), make(map[string]bool), make(map[string]bool)
	type fixup struct {
		off int
		ins asm.Instruction
	}
	var fixups []fixup
	labels := make(map[string]int)
	parts := []asm.Instructions{p.spec.Instructions}
	if callback, ok := o.callbacks[p.name]; ok {
		parts = append(parts, callback.instructions)
	}
	for _, part := range parts {
		moved, again := len(p.insns), false // where the part begins; in a function that is there already
		iter := part.Iterate()
		for iter.Next() {
			off := int(iter.Offset.Bytes()) + moved
			if sym := iter.Ins.Symbol(); sym != "" {
				if f, ok := o.funcs[sym]; ok {
					if _, again = starts[sym]; again {
						moved -= len(f.code)
						continue
					}
					if off == len(p.insns) {
						starts[sym] = off
						p.insns = append(p.insns, f.code...)
						p.appendRecords(o, f, uint32(off))
					}
				}
				if !again {
					labels[sym] = off
				}
			}
			if again {
				continue
			}
			if off+8*int(iter.Ins.Width()) > len(p.insns) {
				return fmt.Errorf("parse object: program %q: instruction %d belongs to no function", p.name, iter.Index)
			}
			if iter.Ins.Reference() != "" || iter.Ins.IsFunctionReference() {
				fixups = append(fixups, fixup{off, *iter.Ins})
			}
			if iter.Ins.IsBuiltinCall() {
				if iter.Ins.Constant <= 0 || iter.Ins.Constant > math.MaxInt16 {
					return &UnsupportedError{Name: fmt.Sprintf("program %q", p.name), Why: fmt.Sprintf("call of helper %d", iter.Ins.Constant)}
				}
				helpers[bpfabi.HelperName(int32(iter.Ins.Constant))] = true
			}
		}
	}
	for _, f := range fixups {
		if err := p.fix(o, fds, labels, f.off, &f.ins, kfuncs, mapNames); err != nil {
			return err
		}
	}
	if err := p.checkRecords(len(starts)); err != nil {
		return err
	}
	p.helpers, p.kfuncs, p.maps = slices.Sorted(maps.Keys(helpers)), slices.Sorted(maps.Keys(kfuncs)), slices.Sorted(maps.Keys(mapNames))
	return nil
}

// fix resolves one instruction's reference.
func (p *progPlan) fix(o *object, fds map[string]int, labels map[string]int, off int, ins *asm.Instruction, kfuncs, mapNames map[string]bool) error {
	le := binary.LittleEndian
	at := p.insns[off:]
	ref := o.mapName(ins.Reference())
	var base uint32 // of the variables of a section that is a part of a map
	if ref == arenaSection && o.arena != nil && ins.IsLoadFromMap() {
		ref, base = o.arena.plan.name, o.arena.at
	}
	ext, isExtern := o.externs[ref]
	refuse := func(format string, args ...any) error {
		return &UnsupportedError{Name: fmt.Sprintf("program %q", p.name), Why: fmt.Sprintf(format, args...)}
	}
	setSrc := func(src byte) { at[1] = at[1]&0x0f | src<<4 }
	switch {
	case ins.IsLoadFromMap():
		fd, ok := fds[ref]
		if !ok {
			return refuse("it refers to %q, which is no map or data section of this object", ref)
		}
		src := byte(pseudoMapIdx)
		if ins.Src == pseudoMapValue {
			src = pseudoMapIdxValue
		}
		setSrc(src)
		le.PutUint32(at[4:], uint32(fd))
		le.PutUint32(at[12:], uint32(ins.Constant>>32)+base)
		mapNames[ref] = true
	case isExtern && ext.kind == "kfunc" && ins.IsKfuncCall():
		setSrc(pseudoKfuncCall)
		le.PutUint16(at[2:], 0)
		le.PutUint32(at[4:], 0)
		p.uses = append(p.uses, symbolUse{name: ref, off: off, call: true})
		kfuncs[ref] = true
	case isExtern && ext.kind == "kconfig" && ins.OpCode.IsDWordLoad() && ins.Constant == 0:
		setSrc(pseudoMapIdxValue)
		le.PutUint32(at[4:], uint32(fds[manifest.KconfigMap]))
		le.PutUint32(at[12:], o.kconfig.offset(ref))
		mapNames[manifest.KconfigMap] = true
	case isExtern && ext.kind != "" && ext.kind != "kconfig" && ins.OpCode.IsDWordLoad():
		setSrc(0)
		le.PutUint32(at[4:], 0)
		le.PutUint32(at[12:], 0)
		p.uses = append(p.uses, symbolUse{name: ref, off: off})
	case isExtern:
		return refuse("it refers to %q, which this object only declares", ref)
	default:
		if ref == p.name {
			return refuse("it refers to itself") // of which cilium/ebpf makes two, and no kernel loads either
		}
		to, ok := labels[ref]
		if !ok {
			return refuse("it refers to %q, which this object does not define", ref)
		}
		delta := (to-off)/8 - 1
		switch {
		case ins.OpCode.IsDWordLoad():
			setSrc(pseudoFunc)
			le.PutUint32(at[4:], uint32(int32(delta)))
		case ins.IsFunctionCall() || ins.Offset != -1:
			if ins.IsFunctionCall() {
				setSrc(pseudoCall)
			}
			le.PutUint32(at[4:], uint32(int32(delta)))
		default:
			if delta < math.MinInt16 || delta > math.MaxInt16 {
				return refuse("jump to %q is too far", ref)
			}
			le.PutUint16(at[2:], uint16(int16(delta)))
		}
	}
	return nil
}

// appendRecords takes over the records of one function, whose code now starts
// at byte off of the program.
func (p *progPlan) appendRecords(o *object, f function, off uint32) {
	take := func(table map[string][]extRecord, unit uint32, dst *[]byte) {
		for _, r := range window(table[f.section], f.raw, f.raw+uint32(len(f.code))) {
			*dst = binary.LittleEndian.AppendUint32(*dst, (r.off-f.raw+off)/unit)
			*dst = append(*dst, r.data[4:]...)
		}
	}
	// Function and line records count instructions when they go to the
	// kernel, CO-RE records bytes.
	take(o.ext.funcs, 8, &p.funcs)
	take(o.ext.lines, 8, &p.lines)
	take(o.ext.relos, 1, &p.relos)
}

// checkRecords drops line records where a function has none: the kernel wants
// all or nothing (kernel/bpf/verifier.c, check_btf_line). Function records are
// needed for CO-RE and for global functions, so there a gap is an error.
func (p *progPlan) checkRecords(functions int) error {
	le := binary.LittleEndian
	if len(p.funcs)/funcRecordSize != functions {
		if len(p.relos) > 0 {
			return &UnsupportedError{Name: fmt.Sprintf("program %q", p.name), Why: "it has CO-RE relocations but a function of it has no BTF: compile all of it with -g"}
		}
		p.funcs, p.lines = nil, nil
		return nil
	}
	lines := make(map[uint32]bool)
	for b := p.lines; len(b) > 0; b = b[lineRecordSize:] {
		lines[le.Uint32(b)] = true
	}
	for b := p.funcs; len(b) > 0; b = b[funcRecordSize:] {
		if !lines[le.Uint32(b)] {
			p.lines = nil
			break
		}
	}
	return nil
}
