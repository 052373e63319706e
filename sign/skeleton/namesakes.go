package skeleton

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// namesakes are what linked objects have of the same name: static functions and
// variables, each of one of the objects that were put together. Readers that know
// things by name take the one for the other, and so all but the first get a name
// with a number, wherever this generator and cilium/ebpf look; the types that the
// kernel gets keep the names.
type namesakes struct {
	renamed   map[int]string           // by index in the list of symbols
	variables map[variablePlace]string // names of variables, by place and name
	shared    map[string]bool          // names that several have
}

// variablePlace is where a variable of some name lies.
type variablePlace struct {
	section string
	offset  uint32
	name    string
}

// tellApart renames symbols, in place.
func tellApart(f *elf.File, symbols []elf.Symbol) *namesakes {
	n := &namesakes{renamed: make(map[int]string), variables: make(map[variablePlace]string), shared: make(map[string]bool)}
	named := func(s *elf.Symbol) bool {
		kind := elf.ST_TYPE(s.Info)
		return s.Name != "" && s.Section != elf.SHN_UNDEF && int(s.Section) < len(f.Sections) && (kind == elf.STT_FUNC || kind == elf.STT_OBJECT)
	}
	taken, have, global := make(map[string]bool), make(map[string]int), make(map[string]bool)
	for i := range symbols {
		s := &symbols[i]
		if taken[s.Name] = true; named(s) {
			have[s.Name]++
			global[s.Name] = global[s.Name] || elf.ST_BIND(s.Info) != elf.STB_LOCAL
		}
	}
	number := make(map[string]int)
	for i := range symbols {
		s := &symbols[i]
		if !named(s) || have[s.Name] < 2 {
			continue
		}
		was := s.Name
		n.shared[was] = true
		if number[was]++; elf.ST_BIND(s.Info) == elf.STB_LOCAL && (number[was] > 1 || global[was]) {
			for more := number[was]; taken[s.Name]; more++ {
				s.Name = fmt.Sprintf("%s.%d", was, more)
			}
			taken[s.Name] = true
			n.renamed[i] = s.Name
		}
		if elf.ST_TYPE(s.Info) == elf.STT_OBJECT {
			n.variables[variablePlace{f.Sections[s.Section].Name, uint32(s.Value), was}] = s.Name
		}
	}
	return n
}

// nameVariables gives the variables of data sections the names of their symbols,
// in the types that cilium/ebpf reads, and says whether it changed any.
func (n *namesakes) nameVariables(types *rawBTF) bool {
	changed := false
	for id := range types.types {
		section := &types.types[id]
		if id == 0 || section.kind() != kindDatasec {
			continue
		}
		for _, v := range section.secVars() {
			if int64(v.typ) >= int64(len(types.types)) {
				continue
			}
			t := &types.types[v.typ]
			was := types.string(t.name)
			if name, ok := n.variables[variablePlace{types.string(section.name), v.off, was}]; ok && name != was {
				t.name = types.add(name)
				changed = true
			}
		}
	}
	return changed
}

// placeVariables takes the offsets of variables from their symbols: linkers leave
// some as they were in the object that came first.
func placeVariables(types *rawBTF, layouts map[string]sectionLayout) bool {
	changed := false
	for id := range types.types {
		section := &types.types[id]
		layout, ok := layouts[types.string(section.name)]
		if id == 0 || section.kind() != kindDatasec || !ok || section.size == 0 {
			continue
		}
		for at := 0; at+12 <= len(section.tail); at += 12 {
			typ := binary.LittleEndian.Uint32(section.tail[at:])
			if int64(typ) >= int64(len(types.types)) {
				continue
			}
			off, ok := layout.offsets[types.string(types.types[typ].name)]
			if ok && off != binary.LittleEndian.Uint32(section.tail[at+4:]) {
				binary.LittleEndian.PutUint32(section.tail[at+4:], off)
				changed = true
			}
		}
	}
	return changed
}
