package skeleton

import (
	"debug/elf"
	"slices"
	"testing"
)

// Static namesakes get names of their own; global ones, and names that nothing
// else has, stay.
func TestNamesakesAreToldApart(t *testing.T) {
	f := &elf.File{Sections: []*elf.Section{{}, {SectionHeader: elf.SectionHeader{Name: ".text"}}, {SectionHeader: elf.SectionHeader{Name: ".data"}}}}
	symbol := func(name string, bind elf.SymBind, kind elf.SymType, section elf.SectionIndex, value uint64) elf.Symbol {
		return elf.Symbol{Name: name, Info: elf.ST_INFO(bind, kind), Section: section, Value: value}
	}
	symbols := []elf.Symbol{
		symbol("step", elf.STB_LOCAL, elf.STT_FUNC, 1, 0),
		symbol("step", elf.STB_LOCAL, elf.STT_FUNC, 1, 8),
		symbol("step.2", elf.STB_LOCAL, elf.STT_FUNC, 1, 16),
		symbol("both", elf.STB_LOCAL, elf.STT_OBJECT, 2, 0),
		symbol("both", elf.STB_GLOBAL, elf.STT_OBJECT, 2, 4),
		symbol("twice", elf.STB_GLOBAL, elf.STT_FUNC, 1, 24),
		symbol("twice", elf.STB_GLOBAL, elf.STT_FUNC, 1, 32),
		symbol("alone", elf.STB_LOCAL, elf.STT_OBJECT, 2, 8),
		symbol("alone", elf.STB_GLOBAL, elf.STT_NOTYPE, elf.SHN_UNDEF, 0),
		symbol("far", elf.STB_LOCAL, elf.STT_OBJECT, 99, 0),
		symbol("far", elf.STB_LOCAL, elf.STT_OBJECT, elf.SHN_ABS, 0),
		symbol("", elf.STB_LOCAL, elf.STT_SECTION, 1, 0),
		symbol("", elf.STB_LOCAL, elf.STT_SECTION, 2, 0),
	}
	n := tellApart(f, symbols)
	var names []string
	for _, s := range symbols {
		names = append(names, s.Name)
	}
	want := []string{"step", "step.3", "step.2", "both.1", "both", "twice", "twice", "alone", "alone", "far", "far", "", ""}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if len(n.renamed) != 2 || n.renamed[1] != "step.3" || n.renamed[3] != "both.1" {
		t.Errorf("renamed %v", n.renamed)
	}
	if n.variables[variablePlace{".data", 0, "both"}] != "both.1" || n.variables[variablePlace{".data", 4, "both"}] != "both" {
		t.Errorf("variables %v", n.variables)
	}
	if !n.shared["both"] || !n.shared["step"] || n.shared["alone"] {
		t.Errorf("shared %v", n.shared)
	}
}
