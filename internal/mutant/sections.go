package mutant

import (
	"debug/elf"
	"slices"
)

func rename(f *file, s *script) {
	sec := pick(s, f.sections)
	if s.byte()%4 == 0 {
		sec.name = pick(s, f.sections).name
		return
	}
	sec.name = pick(s, sectionNames)
}

func renameProgram(f *file, s *script) {
	if sec := pick(s, f.code()); sec != nil {
		sec.name = pick(s, sectionNames)
	}
}

func headerField(f *file, s *script) {
	sec := pick(s, f.sections)
	switch s.byte() % 7 {
	case 0:
		sec.Type = uint32(s.byte() % 20)
		if elf.SectionType(sec.Type) == elf.SHT_NOBITS || elf.SectionType(sec.Type) == elf.SHT_NULL {
			sec.data = nil
		}
	case 1:
		sec.Flags ^= 1 << (s.byte() % 12)
	case 2:
		sec.Link = uint32(s.below(len(f.sections) + 1))
	case 3:
		sec.Info = uint32(s.below(len(f.sections) + 1))
	case 4:
		sec.Entsize = pick(s, edges)
	case 5:
		sec.Addralign = pick(s, edges)
	case 6:
		sec.Addr = pick(s, edges)
	}
}

// zeroes changes the size of a section that takes no room in the file.
func zeroes(f *file, s *script) {
	if sec := pick(s, f.of(elf.SHT_NOBITS)); sec != nil {
		sec.Size = pick(s, edges)
	}
}

func drop(f *file, s *script) {
	i := s.below(len(f.sections))
	f.sections[i].data, f.sections[i].Size = nil, 0
	f.sections[i].Type = uint32(elf.SHT_NULL)
}

func duplicate(f *file, s *script) {
	if len(f.sections) < maxSections {
		again := *pick(s, f.sections)
		again.data = slices.Clone(again.data)
		f.sections = append(f.sections, &again)
	}
}

func resize(f *file, s *script) {
	sec := pick(s, f.sections)
	if sec.data == nil {
		return
	}
	n := 1 + s.byte()%64
	if s.byte()%2 == 0 {
		sec.data = sec.data[:max(0, len(sec.data)-n)]
	} else {
		sec.data = append(sec.data, make([]byte, n)...)
	}
}

// splice copies bytes from one section into another.
func splice(f *file, s *script) {
	from, to := pick(s, f.sections), pick(s, f.sections)
	if len(from.data) == 0 || len(to.data) == 0 {
		return
	}
	a, b := s.below(len(from.data))&^3, s.below(len(to.data))&^3
	copy(to.data[b:], slices.Clone(from.data[a:min(len(from.data), a+8+s.byte())]))
}

// order exchanges two sections, which changes what numbers of sections mean.
func order(f *file, s *script) {
	a, b := s.below(len(f.sections)), s.below(len(f.sections))
	f.sections[a], f.sections[b] = f.sections[b], f.sections[a]
	if f.names == a {
		f.names = b
	} else if f.names == b {
		f.names = a
	}
}

func fileHeader(f *file, s *script) {
	switch s.byte() % 4 {
	case 0:
		f.header.Type = uint16(s.byte() % 8)
	case 1:
		f.header.Machine = uint16(pick(s, []elf.Machine{elf.EM_BPF, elf.EM_NONE, elf.EM_X86_64}))
	case 2:
		f.header.Flags = uint32(pick(s, edges))
	case 3:
		f.header.Ident[s.below(16)] = byte(s.byte())
	}
}
