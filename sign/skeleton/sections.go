package skeleton

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// checkSections bounds what sections take in memory that take no room in the
// file, before anybody makes that room. It refuses two sections of one name, where the name
// says what they are for: readers take the first, the last, or, as cilium/ebpf
// does with data sections, either.
func checkSections(f *elf.File) error {
	var zeroes uint64
	names := make(map[string]bool)
	for _, sec := range f.Sections {
		// Readers ask for the type of some, and take others whatever they are.
		holds := sec.Type == elf.SHT_PROGBITS || sec.Type == elf.SHT_NOBITS || slices.Contains([]string{"license", "version", "maps", ".maps"}, sec.Name)
		if sec.Flags&elf.SHF_ALLOC != 0 || strings.HasPrefix(sec.Name, ".BTF") || holds && !strings.HasPrefix(sec.Name, ".debug") {
			if names[sec.Name] {
				return fmt.Errorf("parse object: two sections are named %q", sec.Name)
			}
			names[sec.Name] = true
		}
		if is, _ := structOpsSection(sec.Name); is && (sec.Type != elf.SHT_PROGBITS || sec.Flags&elf.SHF_EXECINSTR != 0) {
			return &UnsupportedError{Name: fmt.Sprintf("section %q", sec.Name), Why: "it does not hold structures"}
		}
		if sec.Flags&elf.SHF_COMPRESSED != 0 && sec.Flags&elf.SHF_ALLOC == 0 && strings.HasPrefix(sec.Name, ".BTF") {
			return &UnsupportedError{Name: fmt.Sprintf("section %q", sec.Name), Why: "it is compressed"}
		}
		if sec.Type != elf.SHT_NOBITS {
			continue
		}
		if sec.Size > MaxObject || zeroes+sec.Size > MaxObject {
			return &UnsupportedError{Name: fmt.Sprintf("section %q", sec.Name), Why: fmt.Sprintf("its %d bytes of zeroes exceed %d", sec.Size, MaxObject)}
		}
		zeroes += sec.Size
	}
	return nil
}

// checkVariables refuses a section whose types name a variable that lies in
// another one: a static variable with the name of a global one elsewhere, in linked objects. cilium/ebpf knows
// variables by name, and takes the one for the other or not, as it comes across the sections.
func checkVariables(f *elf.File, types *rawBTF, symbols []elf.Symbol) error {
	sections := make(map[string]string) // of global variables
	for _, s := range symbols {
		if bind := elf.ST_BIND(s.Info); int(s.Section) < len(f.Sections) && s.Section != elf.SHN_UNDEF && (bind == elf.STB_GLOBAL || bind == elf.STB_WEAK) {
			sections[s.Name] = f.Sections[s.Section].Name
		}
	}
	for id := range types.types {
		t := &types.types[id]
		if id == 0 || t.kind() != kindDatasec {
			continue
		}
		section := types.string(t.name)
		if f.Section(section) == nil {
			continue
		}
		for _, v := range t.secVars() {
			if int64(v.typ) >= int64(len(types.types)) {
				continue
			}
			name := types.string(types.types[v.typ].name)
			if other, ok := sections[name]; ok && other != section {
				return &UnsupportedError{Name: fmt.Sprintf("variable %q", name), Why: fmt.Sprintf("sections %q and %q have one of this name", section, other)}
			}
		}
	}
	return nil
}
