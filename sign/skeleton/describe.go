package skeleton

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// maxGlobalValue is the size in bytes up to which a global's initial value is
// spelled out in the manifest.
const maxGlobalValue = 64

// describe says in the manifest's words what a plan does.
func describe(p *plan, objectSize uint64) manifest.Manifest {
	m := manifest.Manifest{
		Architecture: architecture(p),
		ByteOrder:    "little",
		ObjectSize:   objectSize,
		Context:      uint32(p.context),
		Programs:     []manifest.Program{},
		Maps:         []manifest.Map{},
		Globals:      globals(p.obj),
		Symbols:      []manifest.Symbol{},
		Delegation:   delegation(p),
		Capabilities: capabilities(p),
		Kernel:       kernelNeeds(p),
	}
	for _, prog := range p.progs {
		m.Programs = append(m.Programs, describeProgram(prog))
	}
	for _, mp := range p.maps {
		m.Maps = append(m.Maps, describeMap(mp))
	}
	for _, t := range p.tunables {
		m.Tunables = append(m.Tunables, t.Tunable)
	}
	for _, s := range p.symbols {
		m.Symbols = append(m.Symbols, manifest.Symbol{Name: s.name, Kind: s.kind, Weak: s.weak})
	}
	return m
}

func describeProgram(prog *progPlan) manifest.Program {
	attachType := ""
	if t := bpfabi.AttachType(prog.spec.AttachType); t != 0 || (prog.target.by == byKernel || prog.target.later) && !prog.target.direction && !prog.target.replaces {
		attachType = t.String()
	}
	var flags []string
	if prog.spec.Flags&bpfabi.ProgramFlagSleepable != 0 {
		flags = append(flags, "sleepable")
	}
	if prog.spec.Flags&bpfabi.ProgramFlagXDPHasFrags != 0 {
		flags = append(flags, "xdp-has-frags")
	}
	return manifest.Program{
		Name: prog.name, KernelName: prog.kernelName, Section: prog.spec.SectionName,
		Type: bpfabi.ProgramType(prog.spec.Type).String(), AttachType: attachType, AttachTarget: prog.target.name,
		Attach:   manifest.Attach{By: prog.target.by, Link: prog.link, Input: prog.target.input, InputSlot: prog.input},
		Optional: prog.optional, Flags: flags, License: prog.spec.License,
		Instructions: blob(prog.insns),
		Helpers:      prog.helpers, Kfuncs: prog.kfuncs, Maps: prog.maps,
		Slot: prog.slot,
	}
}

func describeMap(m *mapPlan) manifest.Map {
	d := manifest.Map{
		Name: m.name, KernelName: m.kernelName, Type: m.typ.String(),
		KeySize: m.keySize, ValueSize: m.valueSize, MaxEntries: m.maxEntries,
		Flags: m.flags, Extra: m.extra, Frozen: m.freeze, Slot: m.slot, PerCPU: m.perCPU,
	}
	if m.byName {
		d.Pinning = manifest.PinningByName
	}
	d.Mode = m.mode
	if m.keep {
		d.Keep = hex.EncodeToString(m.types[:])
	}
	if c := m.contents(); c != nil {
		b := blob(c)
		d.Contents = &b
	}
	if m.arena != nil {
		d.ArenaOffset = m.arena.at
	}
	d.ContentsAt = m.contentsAt
	if m.ops != nil {
		d.StructOps = m.describeStructOps()
	}
	if m.inner != nil {
		inner := describeMap(m.inner)
		d.InnerMap = &inner
	}
	return d
}

// contents encodes a map's initial contents for their digest: the value of a
// data section; an arena's variables; for other maps, entry by entry, the key, the length of the
// name of the map or program (u32) and the name; of a struct_ops map, layout by
// layout, its value with zeroes where functions go. nil if there are none.
func (m *mapPlan) contents() []byte {
	if m.data != nil {
		return m.data
	}
	if m.arena != nil {
		return m.arena.data
	}
	var b []byte
	for _, placed := range m.placed {
		b = append(b, placed.value...)
	}
	for _, e := range m.entries {
		b = append(b, e.key...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(e.ref)))
		b = append(b, e.ref...)
	}
	return b
}

func blob(b []byte) manifest.Blob {
	sum := sha256.Sum256(b)
	return manifest.Blob{SHA256: hex.EncodeToString(sum[:]), Length: uint64(len(b))}
}

// globals lists the variables of the data sections.
func globals(o *object) []manifest.Global {
	list := []manifest.Global{}
	for _, v := range o.spec.Variables {
		g := manifest.Global{Name: v.Name, Map: o.mapName(v.SectionName), Offset: v.Offset, Size: uint32(len(v.Value))}
		if g.Map == arenaSection && o.arena != nil {
			g.Map, g.Offset = o.arena.plan.name, o.arena.at+v.Offset
		}
		if v.Type != nil {
			g.Type = typeName(v.Type.Type, 0)
		}
		if len(v.Value) <= maxGlobalValue && len(bytes.Trim(v.Value, "\x00")) > 0 {
			g.Value = hex.EncodeToString(v.Value)
		}
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b manifest.Global) int {
		return cmp.Or(cmp.Compare(a.Map, b.Map), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// typeName writes a type as C does, as far as a reader of a manifest needs it.
func typeName(t btf.Type, depth int) string {
	if depth > 16 {
		return "..."
	}
	next := func(t btf.Type) string { return typeName(t, depth+1) }
	switch t := t.(type) {
	case *btf.Void:
		return "void"
	case *btf.Const:
		return "const " + next(t.Type)
	case *btf.Volatile:
		return "volatile " + next(t.Type)
	case *btf.Restrict:
		return next(t.Type)
	case *btf.TypeTag:
		return next(t.Type)
	case *btf.Pointer:
		return next(t.Target) + " *"
	case *btf.Array:
		return next(t.Type) + "[]"
	case *btf.Struct:
		return "struct " + t.Name
	case *btf.Union:
		return "union " + t.Name
	case *btf.Enum:
		return "enum " + t.Name
	case *btf.Fwd:
		return "struct " + t.Name
	case *btf.FuncProto:
		return "function"
	default:
		return t.TypeName()
	}
}

// architecture is the machine whose register layout the programs assume:
// programs that get struct pt_regs read it at offsets that were fixed when
// they were compiled.
func architecture(p *plan) string {
	registers := false
	for _, prog := range p.progs {
		switch bpfabi.ProgramType(prog.spec.Type) {
		case bpfabi.ProgramKProbe, bpfabi.ProgramPerfEvent:
			registers = true
		}
	}
	if !registers || p.obj.btf == nil {
		return "any"
	}
	if p.obj.btf.find(kindStruct, "user_pt_regs") != 0 {
		return "arm64"
	}
	if p.obj.btf.find(kindStruct, "pt_regs") != 0 {
		return "x86_64"
	}
	return "any"
}
