package skeleton

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Tunable declares a value that a machine may set when it loads the object.
type Tunable struct {
	// Name is a variable of a data section, or a member or element of one:
	// "limit", "cfg.depth", "limits[2]"; or a map's size: "events.max_entries".
	Name string
	// Allowed is a range "1..100" of integers or a list "a|b" of integers,
	// enumerators or texts. Empty: everything that fits the type.
	Allowed string
}

// ParseTunable reads a declaration as the command line has it: VAR, VAR=MIN..MAX
// or VAR=one|of|these.
func ParseTunable(s string) (Tunable, error) {
	name, allowed, given := strings.Cut(s, "=")
	if name == "" || given && allowed == "" {
		return Tunable{}, fmt.Errorf("%q is none of VAR, VAR=MIN..MAX, VAR=ONE|OTHER", s)
	}
	return Tunable{name, allowed}, nil
}

// sizes reports whether the size of a map is declared as a tunable.
func (o Options) sizes(name string) bool {
	return slices.ContainsFunc(o.Tunables, func(t Tunable) bool { return t.Name == name+manifest.SizeSuffix })
}

// tunablePlan is one tunable and the map that it is about.
type tunablePlan struct {
	manifest.Tunable
	in *mapPlan
}

// planTunables finds what the declarations mean, and gives each its place in the
// context, behind the slots.
func (p *plan) planTunables(list []Tunable) error {
	for _, d := range list {
		t, err := p.newTunable(d)
		if err != nil {
			return err
		}
		p.tunables = append(p.tunables, t)
	}
	if p.obj.kconfig != nil {
		in := p.mapNamed(manifest.KconfigMap)
		for _, v := range p.obj.kconfig.vars {
			p.tunables = append(p.tunables, &tunablePlan{*v.input, in})
		}
	}
	slices.SortFunc(p.tunables, func(a, b *tunablePlan) int { return cmp.Compare(a.Name, b.Name) })
	first := p.context
	for i, t := range p.tunables {
		for _, o := range p.tunables[:i] {
			if o.in == t.in && o.IsSize() == t.IsSize() && o.Offset < t.Offset+t.Size && t.Offset < o.Offset+o.Size {
				return notTunable(t.Name, "it shares bytes with %q", o.Name)
			}
		}
		t.Context = uint32(p.context)
		p.context += int(t.Room())
	}
	if p.context-first > loadctx.MaxTunables {
		return &UnsupportedError{Name: "object", Why: fmt.Sprintf("its tunables take %d bytes: more than %d", p.context-first, loadctx.MaxTunables)}
	}
	return nil
}

// notTunable says why something cannot be declared.
func notTunable(name, format string, args ...any) error {
	return &UnsupportedError{Name: fmt.Sprintf("tunable %q", name), Why: fmt.Sprintf(format, args...)}
}

// newTunable resolves one declaration.
func (p *plan) newTunable(d Tunable) (*tunablePlan, error) {
	if name, ok := strings.CutSuffix(d.Name, manifest.SizeSuffix); ok {
		if m := p.mapNamed(name); m != nil {
			return newSize(d, m)
		}
	}
	if p.obj.externs[d.Name].kind == "kconfig" {
		return nil, notTunable(d.Name, "it is declared __kconfig, so every machine gives it a value as it is")
	}
	v, typ, off, err := findVariable(p.obj.spec, d.Name)
	if err != nil {
		return nil, err
	}
	m := p.mapNamed(v.SectionName)
	if m == nil || m.typ != bpfabi.MapArray {
		return nil, notTunable(d.Name, "section %s is none that a loader program fills", v.SectionName)
	}
	t := &tunablePlan{manifest.Tunable{Name: d.Name, Map: m.name, Offset: v.Offset + off}, m}
	var enum *btf.Enum
	switch typ := typ.(type) {
	case *btf.Int:
		t.Size, t.Kind = typ.Size, integerKind(typ)
	case *btf.Enum:
		t.Size, t.Kind, enum = typ.Size, manifest.TunableEnum, typ
	case *btf.Array:
		element, ok := btf.UnderlyingType(typ.Type).(*btf.Int)
		if !ok || element.Name != "char" || typ.Nelems < 2 || typ.Nelems > manifest.MaxTunableString {
			return nil, notTunable(d.Name, "of arrays only texts can be set, of char and 2 to %d bytes; name one element", manifest.MaxTunableString)
		}
		t.Size, t.Kind = typ.Nelems, manifest.TunableString
	default:
		return nil, notTunable(d.Name, "its type is no integer, enumeration, bool or array of char")
	}
	if t.Kind != manifest.TunableString && t.Offset%t.Size != 0 {
		return nil, notTunable(d.Name, "it lies at an offset that is no multiple of its size")
	}
	if m.data == nil {
		if m.data = m.zeroes; m.data == nil {
			m.data = make([]byte, m.valueSize)
		}
	}
	if uint64(t.Offset)+uint64(t.Size) > uint64(len(m.data)) {
		return nil, notTunable(d.Name, "it does not lie within section %s", m.name)
	}
	if err := t.allow(d.Allowed, enum); err != nil {
		return nil, err
	}
	t.setDefault(m.data[t.Offset:][:t.Size])
	return t, nil
}

// newSize is the max_entries of a map.
func newSize(d Tunable, m *mapPlan) (*tunablePlan, error) {
	switch {
	case strings.HasPrefix(m.name, "."):
		return nil, notTunable(d.Name, "a data section is as large as its variables")
	case m.perCPU:
		return nil, notTunable(d.Name, "the map gets an entry for each CPU")
	case m.sizeless():
		return nil, notTunable(d.Name, "maps of type %s have no max_entries", m.typ)
	}
	t := &tunablePlan{manifest.Tunable{Name: d.Name, Map: m.name, Kind: manifest.TunableUnsigned, Size: 4}, m}
	if d.Allowed == "" {
		d.Allowed = fmt.Sprintf("1..%d", uint32(math.MaxUint32))
	}
	if err := t.allow(d.Allowed, nil); err != nil {
		return nil, err
	}
	t.setDefault(binary.LittleEndian.AppendUint32(nil, m.maxEntries))
	return t, nil
}

// allow reads what may be set.
func (t *tunablePlan) allow(allowed string, enum *btf.Enum) error {
	refuse := func() error {
		return notTunable(t.Name, "%q is nothing that could be allowed for a value of this type", allowed)
	}
	signed := t.Kind == manifest.TunableSigned
	integer := signed || t.Kind == manifest.TunableUnsigned
	low, high, ranged := strings.Cut(allowed, "..")
	switch {
	case t.Kind == manifest.TunableBool:
		if allowed != "" && allowed != "true|false" && allowed != "false|true" {
			return notTunable(t.Name, "a bool is true or false")
		}
	case integer && (ranged || allowed == ""):
		if allowed == "" {
			low, high = limits(t.Size, signed)
		}
		a, ok1 := manifest.ParseInteger(low, signed)
		b, ok2 := manifest.ParseInteger(high, signed)
		if !ok1 || !ok2 {
			return refuse()
		}
		t.Minimum, t.Maximum = manifest.FormatInteger(a, signed), manifest.FormatInteger(b, signed)
	case allowed == "" && t.Kind == manifest.TunableEnum:
		for _, v := range enum.Values {
			t.Choices = append(t.Choices, choiceOf(enum, v))
		}
	case allowed != "":
		for _, word := range strings.Split(allowed, "|") {
			c := manifest.Choice{Name: word}
			switch {
			case enum != nil:
				i := slices.IndexFunc(enum.Values, func(v btf.EnumValue) bool { return v.Name == word })
				if i < 0 {
					return notTunable(t.Name, "enum %s has no %q", enum.Name, word)
				}
				c = choiceOf(enum, enum.Values[i])
			case integer:
				n, ok := manifest.ParseInteger(word, signed)
				if !ok {
					return refuse()
				}
				c.Name = manifest.FormatInteger(n, signed)
			}
			t.Choices = append(t.Choices, c)
		}
	}
	if err := t.CheckAllowed(); err != nil {
		return notTunable(t.Name, "it %v", err)
	}
	return nil
}

// choiceOf is one enumerator.
func choiceOf(enum *btf.Enum, v btf.EnumValue) manifest.Choice {
	if !enum.Signed {
		return manifest.Choice{Name: v.Name, Value: strconv.FormatUint(v.Value, 10)}
	}
	unused := 64 - 8*enum.Size
	return manifest.Choice{Name: v.Name, Value: strconv.FormatInt(int64(v.Value<<unused)>>unused, 10)}
}

// limits are the least and the greatest integer of a type.
func limits(size uint32, signed bool) (low, high string) {
	unused := 64 - 8*size
	if signed {
		return strconv.FormatInt(math.MinInt64>>unused, 10), strconv.FormatInt(math.MaxInt64>>unused, 10)
	}
	return "0", strconv.FormatUint(math.MaxUint64>>unused, 10)
}

// setDefault takes over the object's own value, if it is one that is allowed.
func (t *tunablePlan) setDefault(raw []byte) {
	var text string
	if t.Kind == manifest.TunableString {
		var rest []byte
		var ends bool
		if raw, rest, ends = bytes.Cut(raw, []byte{0}); !ends || len(bytes.Trim(rest, "\x00")) > 0 {
			return
		}
		text = string(raw)
	} else {
		n := binary.LittleEndian.Uint64(append(bytes.Clone(raw), make([]byte, 8)...))
		unused := 64 - 8*t.Size
		extended := uint64(int64(n<<unused) >> unused)
		switch t.Kind {
		case manifest.TunableBool:
			if text = "false"; n == 1 {
				text = "true"
			} else if n != 0 {
				return
			}
		case manifest.TunableEnum:
			for _, c := range t.Choices {
				v, _ := manifest.ParseInteger(c.Value, strings.HasPrefix(c.Value, "-"))
				if v == n || v == extended {
					text = c.Name
					break
				}
			}
		case manifest.TunableSigned:
			text = manifest.FormatInteger(extended, true)
		default:
			text = manifest.FormatInteger(n, false)
		}
	}
	t.Default = &text
	if t.CheckDefault() != nil {
		t.Default = nil
	}
}

// findVariable finds the variable that a path begins with, and what the path
// leads to: its type, without names and qualifiers, and its offset in the
// variable.
func findVariable(spec *ebpf.CollectionSpec, path string) (*ebpf.VariableSpec, btf.Type, uint32, error) {
	end := len(path)
	for spec.Variables[path[:end]] == nil {
		if end = strings.LastIndexAny(path[:end], ".["); end < 0 {
			return nil, nil, 0, notTunable(path, "the object has no such variable in a data section, and no such map")
		}
	}
	v := spec.Variables[path[:end]]
	if v.Type == nil {
		return nil, nil, 0, notTunable(path, "the object has no BTF that says what type it is")
	}
	typ, off := btf.UnderlyingType(v.Type.Type), uint64(0)
	for rest := path[end:]; rest != ""; {
		var err error
		if typ, off, rest, err = step(typ, off, rest); err != nil {
			return nil, nil, 0, notTunable(path, "%v", err)
		}
	}
	return v, typ, uint32(off), nil
}

// step takes one step of a path: ".member" or "[index]".
func step(typ btf.Type, off uint64, path string) (btf.Type, uint64, string, error) {
	word := path[1:]
	if end := strings.IndexAny(word, ".["); end >= 0 {
		word = word[:end]
	}
	rest := path[1+len(word):]
	if path[0] == '[' {
		array, ok := typ.(*btf.Array)
		index, err := strconv.ParseUint(strings.TrimSuffix(word, "]"), 10, 32)
		if !ok || err != nil || fmt.Sprintf("%d]", index) != word || index >= uint64(array.Nelems) {
			return nil, 0, "", fmt.Errorf("there is no [%s", word)
		}
		size, err := btf.Sizeof(array.Type)
		if err != nil {
			return nil, 0, "", err
		}
		off += index * uint64(size)
		typ = array.Type
	} else {
		var members []btf.Member
		switch t := typ.(type) {
		case *btf.Struct:
			members = t.Members
		case *btf.Union:
			members = t.Members
		}
		i := slices.IndexFunc(members, func(m btf.Member) bool { return m.Name == word })
		if i < 0 || word == "" {
			return nil, 0, "", fmt.Errorf("there is no member %q", word)
		}
		if members[i].BitfieldSize != 0 || members[i].Offset%8 != 0 {
			return nil, 0, "", fmt.Errorf("%q is a bit field", word)
		}
		off += uint64(members[i].Offset / 8)
		typ = members[i].Type
	}
	if off > MaxObject {
		return nil, 0, "", fmt.Errorf("there is no %q", word)
	}
	return btf.UnderlyingType(typ), off, rest, nil
}
