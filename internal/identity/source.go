//go:build linux

package identity

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Source is an object as it is in its file.
type Source struct {
	spec    *ebpf.CollectionSpec // nil: cilium/ebpf cannot read it
	file    *elf.File
	symbols []elf.Symbol
	externs map[string]extern
	object  []byte
}

// extern is a symbol that the kernel has.
type extern struct{ typed, weak bool }

// use is an instruction, by its offset, that refers to an extern.
type use struct {
	at   int
	name string
	extern
}

// ReadSource reads an object.
func ReadSource(object []byte) (*Source, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	s := &Source{file: f, externs: make(map[string]extern), object: object}
	if s.symbols, err = f.Symbols(); err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	if spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object)); err == nil {
		s.spec = spec
	}
	for _, sym := range s.symbols {
		if sym.Section == elf.SHN_UNDEF && sym.Name != "" {
			s.externs[sym.Name] = extern{weak: elf.ST_BIND(sym.Info) == elf.STB_WEAK}
		}
	}
	if len(s.externs) == 0 {
		return s, nil
	}
	types, err := btf.LoadSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	var answers *btf.Datasec // which the kernel has no symbols of: they are a map's
	if err := types.TypeByName(manifest.KconfigMap, &answers); err == nil {
		for _, v := range answers.Vars {
			delete(s.externs, v.Type.TypeName())
		}
	}
	for name, e := range s.externs {
		var variable *btf.Var
		var function *btf.Func
		switch {
		case types.TypeByName(name, &function) == nil:
			e.typed = true
		case types.TypeByName(name, &variable) == nil:
			_, void := btf.UnderlyingType(variable.Type).(*btf.Void)
			e.typed = !void
		}
		s.externs[name] = e
	}
	return s, nil
}

// Collection is how cilium/ebpf reads it, nil if it cannot.
func (s *Source) Collection() *ebpf.CollectionSpec { return s.spec }

func (s *Source) program(name string) *ebpf.ProgramSpec {
	if s.spec == nil {
		return nil
	}
	return s.spec.Programs[name]
}

// uses lists where a program refers to externs. Where cilium/ebpf does not tell,
// the object's relocations do, for programs of one function.
func (s *Source) uses(name string, size int) ([]use, error) {
	var list []use
	if p := s.program(name); p != nil {
		iter := p.Instructions.Iterate()
		for iter.Next() {
			if e, ok := s.externs[iter.Ins.Reference()]; ok {
				list = append(list, use{at: int(iter.Offset.Bytes()), name: iter.Ins.Reference(), extern: e})
			}
		}
		return list, nil
	}
	for _, sym := range s.symbols {
		if sym.Name != name || elf.ST_TYPE(sym.Info) != elf.STT_FUNC {
			continue
		}
		if sym.Size != uint64(size) {
			return nil, fmt.Errorf("%w: it calls functions, and cilium/ebpf cannot read the object", ErrUnknown)
		}
		for _, rel := range s.file.Sections {
			if rel.Type != elf.SHT_REL || rel.Info != uint32(sym.Section) {
				continue
			}
			data, err := rel.Data()
			if err != nil {
				return nil, err
			}
			for ; len(data) >= 16; data = data[16:] {
				at, which := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint32(data[12:])
				if which == 0 || int(which) > len(s.symbols) || at < sym.Value || at >= sym.Value+sym.Size {
					continue
				}
				to := s.symbols[which-1].Name
				if e, ok := s.externs[to]; ok {
					list = append(list, use{at: int(at - sym.Value), name: to, extern: e})
				}
			}
		}
		return list, nil
	}
	return nil, errors.New("the object has no such function")
}

// relocation is an instruction, by its offset, that the kernel's types change.
type relocation struct {
	at   int
	ins  asm.Instruction
	relo *btf.CORERelocation
}

// relocations lists a program's. Where cilium/ebpf cannot read the object, they
// are the records of the function's section, for programs of one function.
func (s *Source) relocations(name string, given []byte) ([]relocation, error) {
	var list []relocation
	if p := s.program(name); p != nil {
		iter := p.Instructions.Iterate()
		for iter.Next() {
			if r := btf.CORERelocationMetadata(iter.Ins); r != nil {
				list = append(list, relocation{int(iter.Offset.Bytes()), *iter.Ins, r})
			}
		}
		return list, nil
	}
	_, records, err := btf.LoadSpecAndExtInfosFromReader(bytes.NewReader(s.object))
	if err != nil {
		return nil, fmt.Errorf("%w: read its relocations: %v", ErrUnknown, err)
	}
	insns, err := asm.AppendInstructions(nil, bytes.NewReader(given), binary.LittleEndian, "linux")
	if err != nil {
		return nil, err
	}
	for _, sym := range s.symbols {
		if sym.Name != name || elf.ST_TYPE(sym.Info) != elf.STT_FUNC || int(sym.Section) >= len(s.file.Sections) {
			continue
		}
		at := make(map[int]*btf.CORERelocation)
		if records != nil {
			_, _, relos := records.Section(s.file.Sections[sym.Section].Name)
			for _, r := range relos {
				at[int(r.Offset.Bytes())-int(sym.Value)] = r.Relo
			}
		}
		iter := insns.Iterate()
		for iter.Next() {
			if r := at[int(iter.Offset.Bytes())]; r != nil {
				list = append(list, relocation{int(iter.Offset.Bytes()), *iter.Ins, r})
			}
		}
		return list, nil
	}
	return nil, errors.New("the object has no such function")
}
