package mutant

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
)

// section is a section with its header.
type section struct {
	elf.Section64
	name string
	data []byte // nil if it takes no room in the file
}

// file is a relocatable object: the sections in their order, the first of
// which is the empty one.
type file struct {
	header   elf.Header64
	sections []*section
	names    int // section with the names of sections
}

// maxSections bounds what an object is taken apart into.
const maxSections = 4096

// parse takes a little-endian 64-bit ELF file apart.
func parse(object []byte) (*file, error) {
	f := new(file)
	if err := binary.Read(bytes.NewReader(object), binary.LittleEndian, &f.header); err != nil {
		return nil, fmt.Errorf("read ELF header: %w", err)
	}
	h := &f.header
	if !bytes.HasPrefix(h.Ident[:], []byte(elf.ELFMAG+"\x02\x01")) || h.Shentsize != 64 || h.Shnum == 0 || h.Shnum > maxSections || h.Shstrndx >= h.Shnum {
		return nil, fmt.Errorf("not a little-endian 64-bit ELF file with sections")
	}
	size := uint64(len(object))
	if h.Shoff > size || uint64(h.Shnum)*64 > size-h.Shoff {
		return nil, fmt.Errorf("the section headers exceed the file")
	}
	for at := h.Shoff; len(f.sections) < int(h.Shnum); at += 64 {
		s := new(section)
		if _, err := binary.Decode(object[at:], binary.LittleEndian, &s.Section64); err != nil {
			return nil, err
		}
		if t := elf.SectionType(s.Type); t != elf.SHT_NOBITS && t != elf.SHT_NULL {
			if s.Off > size || s.Size > size-s.Off {
				return nil, fmt.Errorf("section %d exceeds the file", len(f.sections))
			}
			s.data = slices.Clone(object[s.Off:][:s.Size])
		}
		f.sections = append(f.sections, s)
	}
	f.names = int(h.Shstrndx)
	for _, s := range f.sections {
		s.name = text(f.sections[f.names].data, s.Name)
	}
	return f, nil
}

// text is the string at an offset of a string table.
func text(table []byte, at uint32) string {
	if uint64(at) >= uint64(len(table)) {
		return ""
	}
	s, _, _ := bytes.Cut(table[at:], []byte{0})
	return string(s)
}

// bytes puts the object together again.
func (f *file) bytes() []byte {
	// Names of sections may share their table with names of symbols: it grows.
	if f.names < len(f.sections) {
		table := f.sections[f.names]
		for _, s := range f.sections {
			if text(table.data, s.Section64.Name) != s.name {
				s.Section64.Name = uint32(len(table.data))
				table.data = append(append(table.data, s.name...), 0)
			}
		}
	}
	out := make([]byte, binary.Size(f.header))
	for _, s := range f.sections {
		if s.data == nil {
			continue
		}
		for len(out)%8 != 0 {
			out = append(out, 0)
		}
		s.Off, s.Size = uint64(len(out)), uint64(len(s.data))
		out = append(out, s.data...)
	}
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	h := f.header
	h.Shoff, h.Shnum, h.Shstrndx = uint64(len(out)), uint16(len(f.sections)), uint16(f.names)
	for _, s := range f.sections {
		out, _ = binary.Append(out, binary.LittleEndian, &s.Section64) // of a fixed size
	}
	_, _ = binary.Encode(out, binary.LittleEndian, &h)
	return out
}

// of returns the sections of one type.
func (f *file) of(types ...elf.SectionType) []*section {
	var list []*section
	for _, s := range f.sections {
		if slices.Contains(types, elf.SectionType(s.Type)) {
			list = append(list, s)
		}
	}
	return list
}

// called returns the sections of one name.
func (f *file) called(name string) []*section {
	var list []*section
	for _, s := range f.sections {
		if s.name == name && s.data != nil {
			list = append(list, s)
		}
	}
	return list
}

// code returns the sections with instructions.
func (f *file) code() []*section {
	var list []*section
	for _, s := range f.of(elf.SHT_PROGBITS) {
		if s.Flags&uint64(elf.SHF_EXECINSTR) != 0 && len(s.data) >= 8 {
			list = append(list, s)
		}
	}
	return list
}
