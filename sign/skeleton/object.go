package skeleton

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// object is a parsed BPF ELF file: what cilium/ebpf makes of it, and what it
// leaves out and the generator needs.
type object struct {
	spec  *ebpf.CollectionSpec
	funcs map[string]function // by name
	// externs are the undefined symbols: kernel symbols and kfuncs.
	externs   map[string]extern
	btf       *rawBTF      // in kernelForm; nil without .BTF
	ext       *extInfo     // never nil
	structOps []*structOps // by name
	kconfig   *kconfig     // nil without variables that are declared __kconfig
	arena     *arena       // nil without variables in one; known when maps are planned
	// unasked are the functions that only optional structures call.
	unasked map[string]bool
	// callbacks are the functions that programs name for exceptions, by program.
	callbacks map[string]callback
	// sections are the names of data sections that spec has under others.
	sections map[string]string
}

// mapName is an object's own name for a map of spec.
func (o *object) mapName(name string) string {
	if own, ok := o.sections[name]; ok {
		return own
	}
	return name
}

// function is one symbol of an executable section.
type function struct {
	section string
	index   int    // of the section
	value   uint64 // offset in the section
	raw     uint32 // offset counted without gaps, as .BTF.ext counts
	code    []byte
}

// extern is one undefined symbol.
type extern struct {
	kind string // "kfunc", "variable", "address", "kconfig", or "" if BTF does not know it
	weak bool
}

// parseObject reads an ELF file. It makes no system call.
func parseObject(file []byte) (*object, error) {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("not a BPF object: %w", err)
	}
	if f.Machine != elf.EM_BPF {
		return nil, fmt.Errorf("not a BPF object: ELF machine %s", f.Machine)
	}
	if f.Class != elf.ELFCLASS64 || f.ByteOrder != binary.LittleEndian {
		return nil, &UnsupportedError{Name: "byte order", Why: "the object is big-endian: compile it with -target bpfel"}
	}
	if err := checkSections(f); err != nil {
		return nil, err
	}
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, fmt.Errorf("read symbols: %w", err)
	}
	same := tellApart(f, symbols)
	o := &object{funcs: make(map[string]function), externs: make(map[string]extern), ext: new(extInfo), unasked: make(map[string]bool)}
	if err := o.readFunctions(f, symbols); err != nil {
		return nil, err
	}
	file, err = o.readTypes(f, file, symbols, same)
	if err != nil {
		return nil, err
	}
	o.spec, err = ebpf.LoadCollectionSpecFromReader(bytes.NewReader(file))
	if err != nil {
		return nil, asUnsupported(err, f)
	}
	if err := o.placeKconfig(); err != nil {
		return nil, err
	}
	o.nameKinds()
	if err := o.readCallbacks(f, file); err != nil {
		return nil, err
	}
	return o, o.readStructOps(f, symbols)
}

// asUnsupported tells what cilium/ebpf cannot read from what is damaged, and
// names the sections that it gives numbers of.
func asUnsupported(err error, f *elf.File) error {
	if !errors.Is(err, ebpf.ErrNotSupported) {
		return fmt.Errorf("parse object: %w", err)
	}
	// How debug/elf prints the number of a section.
	sectionNumber := regexp.MustCompile(`SHN_UNDEF\+(\d+)`)
	why := sectionNumber.ReplaceAllStringFunc(err.Error(), func(s string) string {
		n, _ := strconv.Atoi(s[len("SHN_UNDEF+"):])
		if n >= len(f.Sections) {
			return s
		}
		return strconv.Quote(f.Sections[n].Name)
	})
	return &UnsupportedError{Name: "object", Why: strings.TrimSuffix(why, ": "+ebpf.ErrNotSupported.Error())}
}

// readFunctions records the functions of every executable section.
func (o *object) readFunctions(f *elf.File, symbols []elf.Symbol) error {
	names := make(map[string]bool)
	for i, sec := range f.Sections {
		if sec.Type != elf.SHT_PROGBITS || sec.Flags&elf.SHF_EXECINSTR == 0 || sec.Size == 0 {
			continue
		}
		if names[sec.Name] {
			return fmt.Errorf("parse object: two executable sections are named %q", sec.Name)
		}
		names[sec.Name] = true
		code, err := sec.Data()
		if err != nil {
			return fmt.Errorf("read section %q: %w", sec.Name, err)
		}
		var syms []elf.Symbol
		for _, s := range symbols {
			if int(s.Section) == i && s.Name != "" && isFunction(s) {
				syms = append(syms, s)
			}
		}
		slices.SortStableFunc(syms, func(a, b elf.Symbol) int { return cmp.Compare(a.Value, b.Value) })
		var raw uint32
		for _, s := range syms {
			if s.Size%8 != 0 || s.Value%8 != 0 || s.Value > uint64(len(code)) || s.Size > uint64(len(code))-s.Value {
				return fmt.Errorf("parse object: function %q exceeds section %q", s.Name, sec.Name)
			}
			if _, ok := o.funcs[s.Name]; ok {
				return fmt.Errorf("parse object: two functions are named %q", s.Name)
			}
			o.funcs[s.Name] = function{section: sec.Name, index: i, value: s.Value, raw: raw, code: code[s.Value : s.Value+s.Size]}
			raw += uint32(s.Size)
		}
	}
	return nil
}

// isFunction tells functions from jump labels, which have local scope and no type.
func isFunction(s elf.Symbol) bool {
	switch elf.ST_TYPE(s.Info) {
	case elf.STT_FUNC:
		return true
	case elf.STT_NOTYPE:
		return elf.ST_BIND(s.Info) != elf.STB_LOCAL
	default:
		return false
	}
}

// readTypes reads .BTF and .BTF.ext, sorts the undefined symbols, and brings
// the types into the form that the kernel takes. It returns the file as
// cilium/ebpf is to see it.
func (o *object) readTypes(f *elf.File, file []byte, symbols []elf.Symbol, same *namesakes) ([]byte, error) {
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF && s.Name != "" {
			o.externs[s.Name] = extern{weak: elf.ST_BIND(s.Info) == elf.STB_WEAK}
		}
	}
	sec := f.Section(".BTF")
	if sec == nil || sec.Type == elf.SHT_NOBITS {
		return file, nil
	}
	raw, err := sec.Data()
	if err != nil {
		return nil, fmt.Errorf("read section .BTF: %w", err)
	}
	types, err := parseBTF(raw)
	if err != nil {
		return nil, err
	}
	if err := checkVariables(f, types, symbols); err != nil {
		return nil, err
	}
	typed := o.readExterns(types)
	if err := o.readKconfig(types); err != nil {
		return nil, err
	}
	if ext := f.Section(".BTF.ext"); ext != nil && ext.Type != elf.SHT_NOBITS {
		data, err := ext.Data()
		if err != nil {
			return nil, fmt.Errorf("read section .BTF.ext: %w", err)
		}
		if o.ext, err = parseExtInfo(data, types); err != nil {
			return nil, err
		}
	}
	layouts, hidden := layoutsOf(f, symbols)
	if file, o.sections, err = show(f, file, typed, same, layouts); err != nil {
		return nil, err
	}
	types.kernelForm(layouts, hidden, same.shared)
	o.btf = types
	return file, nil
}

// readExterns tells kfuncs, typed variables and typeless ones apart, and
// returns the types of the variables that cilium/ebpf does not take for void.
func (o *object) readExterns(types *rawBTF) (typed []uint32) {
	id := types.find(kindDatasec, ".ksyms")
	for _, v := range types.types[id].secVars() {
		if int64(v.typ) >= int64(len(types.types)) {
			continue
		}
		t := &types.types[v.typ]
		name := types.string(t.name)
		e, ok := o.externs[name]
		if !ok {
			continue
		}
		switch {
		case t.kind() == kindFunc:
			e.kind = "kfunc"
		case t.kind() == kindVar && types.isVoid(t.size):
			e.kind = "address"
		case t.kind() == kindVar:
			e.kind = "variable"
		}
		if t.kind() == kindVar && t.size != 0 {
			typed = append(typed, v.typ)
		}
		o.externs[name] = e
	}
	return typed
}

// layoutsOf collects what kernelForm needs from sections and symbols.
func layoutsOf(f *elf.File, symbols []elf.Symbol) (map[string]sectionLayout, map[string]bool) {
	layouts, hidden := make(map[string]sectionLayout), make(map[string]bool)
	for _, sec := range f.Sections {
		if sec.Size <= 1<<31 {
			layouts[sec.Name] = sectionLayout{size: uint32(sec.Size), offsets: make(map[string]uint32)}
		}
	}
	for _, s := range symbols {
		vis := elf.ST_VISIBILITY(s.Other)
		if isFunction(s) && (vis == elf.STV_HIDDEN || vis == elf.STV_INTERNAL) {
			hidden[s.Name] = true
		}
		if int(s.Section) < len(f.Sections) && elf.ST_TYPE(s.Info) == elf.STT_OBJECT {
			if l, ok := layouts[f.Sections[s.Section].Name]; ok && s.Value <= uint64(l.size) {
				l.offsets[s.Name] = uint32(s.Value)
			}
		}
	}
	return layouts, hidden
}
