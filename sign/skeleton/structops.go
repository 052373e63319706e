package skeleton

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// A struct_ops map is a structure of functions that the kernel calls, such as
// struct tcp_congestion_ops. Where its members lie is the running kernel's
// business, and a loader program cannot look it up: it is made for the layouts
// of kernels whose types were given, finds out by a probe which one it is on,
// and refuses others.

// structOps is one variable of a section .struct_ops or .struct_ops.link.
type structOps struct {
	name  string
	typ   string // of the structure, as the kernel calls it
	data  []byte // with zeroes where functions are
	funcs map[uint32]string
	ops   *btf.Struct
}

// structOpsSection reports whether a section holds such structures. Those of
// both kinds are attached by a link, so that they can be taken down. Those of
// sections with a question mark are created only by a program that asks for
// them: they are left out, and what only they call.
func structOpsSection(name string) (is, optional bool) {
	name, optional = strings.CutPrefix(name, "?")
	return name == ".struct_ops" || name == ".struct_ops.link", optional
}

// readStructOps collects the structures of an object.
func (o *object) readStructOps(f *elf.File, symbols []elf.Symbol) error {
	for i, sec := range f.Sections {
		is, optional := structOpsSection(sec.Name)
		if !is || sec.Type != elf.SHT_PROGBITS {
			continue
		}
		data, err := sec.Data()
		if err != nil {
			return fmt.Errorf("read section %q: %w", sec.Name, err)
		}
		funcs, err := o.functionsIn(f, i, data, symbols)
		if err != nil {
			return err
		}
		if optional {
			for _, name := range funcs {
				o.unasked[name] = true
			}
			continue
		}
		if o.btf == nil {
			return &UnsupportedError{Name: fmt.Sprintf("section %q", sec.Name), Why: "struct_ops: the object has no types: compile it with -g"}
		}
		for _, v := range o.btf.types[o.btf.find(kindDatasec, sec.Name)].secVars() {
			variable, err := o.spec.Types.TypeByID(btf.TypeID(v.typ))
			if err != nil {
				return fmt.Errorf("parse object: section %q: %w", sec.Name, err)
			}
			s, err := newStructOps(variable, i, data, funcs, symbols)
			if err != nil {
				return err
			}
			o.structOps = append(o.structOps, s)
		}
	}
	for _, s := range o.structOps {
		for _, name := range s.funcs {
			delete(o.unasked, name)
		}
	}
	slices.SortFunc(o.structOps, func(a, b *structOps) int { return cmp.Compare(a.name, b.name) })
	return nil
}

// newStructOps reads one variable.
func newStructOps(v btf.Type, section int, data []byte, funcs map[uint32]string, symbols []elf.Symbol) (*structOps, error) {
	variable, ok := v.(*btf.Var)
	if !ok {
		return nil, fmt.Errorf("parse object: %v among structures of operations", v)
	}
	refuse := func(why string) (*structOps, error) {
		return nil, &UnsupportedError{Name: fmt.Sprintf("map %q", variable.Name), Why: "struct_ops: " + why}
	}
	ops, ok := btf.UnderlyingType(variable.Type).(*btf.Struct)
	if !ok || ops.Name == "" {
		return refuse("its type is no structure with a name")
	}
	at := slices.IndexFunc(symbols, func(s elf.Symbol) bool {
		return s.Name == variable.Name && int(s.Section) == section
	})
	if at < 0 || symbols[at].Value > uint64(len(data)) || uint64(ops.Size) > uint64(len(data))-symbols[at].Value {
		return refuse("it does not lie within its section")
	}
	start := uint32(symbols[at].Value)
	typ, _, _ := strings.Cut(ops.Name, "___")
	s := &structOps{name: variable.Name, typ: typ, data: bytes.Clone(data[start : start+ops.Size]), funcs: make(map[uint32]string), ops: ops}
	for off, name := range funcs {
		if off >= start && off < start+ops.Size {
			if off-start+8 > ops.Size {
				return refuse("a function does not lie within it")
			}
			s.funcs[off-start] = name
			clear(s.data[off-start:][:8])
		}
	}
	return s, nil
}

// functionsIn says which functions a section refers to, by offset.
func (o *object) functionsIn(f *elf.File, section int, data []byte, symbols []elf.Symbol) (map[uint32]string, error) {
	funcs := make(map[uint32]string)
	for _, rel := range f.Sections {
		if rel.Type != elf.SHT_REL || int(rel.Info) != section {
			continue
		}
		records, err := rel.Data()
		if err != nil {
			return nil, fmt.Errorf("read section %q: %w", rel.Name, err)
		}
		for ; len(records) >= 16; records = records[16:] {
			off, info := binary.LittleEndian.Uint64(records), binary.LittleEndian.Uint64(records[8:])
			number := info >> 32
			if number == 0 || number > uint64(len(symbols)) || len(data) < 8 || off > uint64(len(data)-8) {
				return nil, fmt.Errorf("parse object: section %q refers to symbol %d at %d", rel.Name, number, off)
			}
			symbol := symbols[number-1]
			value := symbol.Value
			if elf.ST_TYPE(symbol.Info) == elf.STT_SECTION {
				value += binary.LittleEndian.Uint64(data[off:])
			}
			name, ok := o.functionAt(int(symbol.Section), value)
			if !ok {
				return nil, &UnsupportedError{Name: fmt.Sprintf("section %q", rel.Name), Why: fmt.Sprintf("struct_ops: what it has at %d is no function of this object", off)}
			}
			funcs[uint32(off)] = name
		}
	}
	return funcs, nil
}

// functionAt finds a function by its place.
func (o *object) functionAt(section int, value uint64) (string, bool) {
	for name, f := range o.funcs {
		if f.index == section && f.value == value {
			return name, true
		}
	}
	return "", false
}

// operations is the structure of one kernel that a structOps fills in: the
// value of the map, and where its functions go.
type operations struct {
	layout *manifest.Layout
	value  []byte
	funcs  []operation // by index
}

// operation is one function of a structure.
type operation struct {
	program string
	index   uint32 // of the member, which is the program's expected attach type
	offset  uint32 // in the value
}

// on places the structure as a kernel lays it out, member by member.
func (s *structOps) on(l *manifest.Layout) (*operations, error) {
	placed := &operations{layout: l, value: make([]byte, l.ValueSize)}
	refuse := func(format string, args ...any) error {
		return &UnsupportedError{Name: fmt.Sprintf("map %q", s.name), Why: "struct_ops: " + fmt.Sprintf(format, args...)}
	}
	for _, m := range s.ops.Members {
		size, err := btf.Sizeof(m.Type)
		if err != nil || m.BitfieldSize != 0 || m.Offset%8 != 0 || uint64(m.Offset.Bytes())+uint64(size) > uint64(len(s.data)) {
			return nil, refuse("member %q has no place of its own", m.Name)
		}
		off := m.Offset.Bytes()
		data, program := s.data[off:off+uint32(size)], s.funcs[off]
		name, _, _ := strings.Cut(m.Name, "___")
		index := slices.IndexFunc(l.Members, func(o manifest.Member) bool { return o.Name == name })
		if index < 0 {
			if program != "" || slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) {
				return nil, refuse("a kernel that it is made for has no member %q", m.Name)
			}
			continue
		}
		member := l.Members[index]
		kind, err := memberKind(m.Type, 0)
		if err != nil || kind != member.Kind || uint32(size) != member.Size {
			return nil, refuse("member %q is of another type or size in a kernel that it is made for", m.Name)
		}
		at := l.DataOffset + member.Offset
		if program != "" {
			if kind != manifest.MemberFunction {
				return nil, refuse("member %q is a function in the object alone", m.Name)
			}
			placed.funcs = append(placed.funcs, operation{program, uint32(index), at})
			continue
		}
		if strings.HasSuffix(kind, manifest.MemberPointer) && slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) {
			return nil, refuse("member %q points to something", m.Name)
		}
		copy(placed.value[at:], data)
	}
	return placed, nil
}
