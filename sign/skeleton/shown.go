package skeleton

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// shown is the file that cilium/ebpf reads in an object's place: the same
// instructions, relocations and contents, with what its reader refuses and the
// generator can carry put in words that it takes. The object that is sealed
// stays as it is, and so do the types that the kernel gets.
//
// What differs: kernel variables are typeless (it refuses any other type for
// them in .ksyms), those of .kconfig have no section (it would make a map of its
// own of them), static functions and variables of one name have several, weak maps are strong (it knows no weak ones), sections of struct_ops are none, and a section .bss.NAME is called .data.bss.NAME (it reads no bss
// but .bss; a section without contents in the file it reads under any name), as is that of an arena's variables.
type shown struct {
	file  []byte
	f     *elf.File
	names []byte // of sections, where they differ from those of the object
}

// show returns the file to read, and the sections' own names where it gives
// them others. typed are the kernel variables that have a type.
func show(f *elf.File, file []byte, typed []uint32, same *namesakes, layouts map[string]sectionLayout) (shownFile []byte, sections map[string]string, err error) {
	section := slices.IndexFunc(f.Sections, func(sec *elf.Section) bool { return sec.Name == ".BTF" })
	raw, err := f.Sections[section].Data()
	if err != nil {
		return nil, nil, fmt.Errorf("read section .BTF: %w", err)
	}
	types, err := parseBTF(raw)
	if err != nil {
		return nil, nil, err
	}
	s := &shown{file: file, f: f}
	sections, err = s.nameSections(types)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range typed {
		types.types[id].size = 0
	}
	kconfig := types.find(kindDatasec, manifest.KconfigMap)
	if kconfig != 0 {
		types.blank(kconfig)
	}
	named := same.nameVariables(types)
	placed := placeVariables(types, layouts)
	if len(typed)+len(sections)+kconfig > 0 || named || placed {
		if err := s.setSection(section, types.encode()); err != nil {
			return nil, nil, err
		}
	}
	if err := s.hideStructOps(); err != nil {
		return nil, nil, err
	}
	if err := s.editSymbols(same); err != nil {
		return nil, nil, err
	}
	return s.file, sections, nil
}

// nameSections gives sections .bss.NAME, that of an arena's variables, and their
// types names that cilium/ebpf takes.
func (s *shown) nameSections(types *rawBTF) (map[string]string, error) {
	own := make(map[string]string)
	for i, sec := range s.f.Sections {
		if (!strings.HasPrefix(sec.Name, ".bss.") || sec.Type != elf.SHT_NOBITS) && sec.Name != arenaSection {
			continue
		}
		name := ".data" + sec.Name
		if s.f.Section(name) != nil {
			return nil, &UnsupportedError{Name: fmt.Sprintf("section %q", sec.Name), Why: fmt.Sprintf("the object also has a section %q", name)}
		}
		if _, ok := own[name]; ok {
			return nil, fmt.Errorf("parse object: two sections are named %q", sec.Name)
		}
		own[name] = sec.Name
		if err := s.nameSection(i, name); err != nil {
			return nil, err
		}
		if id := types.find(kindDatasec, sec.Name); id != 0 {
			types.types[id].name = uint32(len(types.strings))
			types.strings = append(append(slices.Clip(types.strings), name...), 0)
		}
	}
	if len(own) > 0 {
		return own, s.setSection(s.nameTable(), s.names)
	}
	return own, nil
}

// nameSection points a section's header at a name behind the others.
func (s *shown) nameSection(section int, name string) (err error) {
	if s.names == nil {
		if table := s.nameTable(); table >= len(s.f.Sections) {
			return fmt.Errorf("parse object: section %d, which has the sections' names, is not there", table)
		} else if s.names, err = s.f.Sections[table].Data(); err != nil {
			return fmt.Errorf("read section names: %w", err)
		}
	}
	h, err := s.header(section)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(h, uint32(len(s.names)))
	s.names = append(append(s.names, name...), 0)
	return nil
}

// hideStructOps makes the sections of structures look like remarks: the reader
// refuses some, and of the others it keeps what this generator does not use.
func (s *shown) hideStructOps() error {
	for i, sec := range s.f.Sections {
		if is, _ := structOpsSection(sec.Name); !is {
			continue
		}
		h, err := s.header(i)
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint32(h[4:], uint32(elf.SHT_NOTE))
	}
	return nil
}

// editSymbols makes weak maps strong and tells namesakes apart.
func (s *shown) editSymbols(same *namesakes) error {
	section := slices.IndexFunc(s.f.Sections, func(sec *elf.Section) bool { return sec.Type == elf.SHT_SYMTAB })
	if section < 0 {
		return nil
	}
	symbols, err := s.f.Symbols()
	if err != nil {
		return fmt.Errorf("read symbols: %w", err)
	}
	table, err := s.f.Sections[section].Data()
	if err != nil {
		return fmt.Errorf("read symbols: %w", err)
	}
	changed := false
	names := int(s.f.Sections[section].Link)
	var strings []byte
	if len(same.renamed) > 0 {
		if names >= len(s.f.Sections) {
			return fmt.Errorf("parse object: section %d, which has the symbols' names, is not there", names)
		}
		if strings, err = s.f.Sections[names].Data(); err != nil {
			return fmt.Errorf("read symbol names: %w", err)
		}
	}
	for n, symbol := range symbols {
		off := (n + 1) * elf.Sym64Size // the first one is not among the symbols
		if off+elf.Sym64Size > len(table) {
			continue
		}
		if name, ok := same.renamed[n]; ok {
			binary.LittleEndian.PutUint32(table[off:], uint32(len(strings)))
			strings, changed = append(append(strings, name...), 0), true
		}
		if elf.ST_BIND(symbol.Info) != elf.STB_WEAK {
			continue
		}
		if s.isMap(symbol) {
			table[off+4], changed = byte(elf.STB_GLOBAL)<<4|symbol.Info&0xf, true
		}
	}
	if !changed {
		return nil
	}
	if strings != nil {
		if err := s.setSection(names, strings); err != nil {
			return err
		}
	}
	return s.setSection(section, table)
}

// isMap reports whether a symbol is a map's.
func (s *shown) isMap(symbol elf.Symbol) bool {
	return symbol.Section != elf.SHN_UNDEF && int(symbol.Section) < len(s.f.Sections) && s.f.Sections[symbol.Section].Name == ".maps"
}

// nameTable is the section of the sections' names.
func (s *shown) nameTable() int { return int(binary.LittleEndian.Uint16(s.file[62:])) }

// header is the header of a section, to be changed: the file is a copy then.
func (s *shown) header(section int) ([]byte, error) {
	const size = 64
	table, each := binary.LittleEndian.Uint64(s.file[40:]), binary.LittleEndian.Uint16(s.file[58:])
	end := uint64(len(s.file))
	if each != size || table > end || uint64(section+1)*size > end-table {
		return nil, fmt.Errorf("parse object: section headers of %d bytes at %d", each, table)
	}
	s.file = slices.Clone(s.file)
	return s.file[table+uint64(section)*size:][:size], nil
}

// setSection gives a section other contents, at the end of the file.
func (s *shown) setSection(section int, contents []byte) error {
	h, err := s.header(section)
	if err != nil {
		return err
	}
	end := (len(s.file) + 7) &^ 7
	binary.LittleEndian.PutUint64(h[24:], uint64(end))
	binary.LittleEndian.PutUint64(h[32:], uint64(len(contents)))
	s.file = append(append(s.file, make([]byte, end-len(s.file))...), contents...)
	return nil
}
