package skeleton

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// kconfig is what an object declares __kconfig: variables whose values are the
// loading machine's. They have types and no section in the file.
type kconfig struct {
	section    int // of the types
	sectionRaw rawType
	vars       []*kconfigVar
	size       uint32 // of the map's value
}

// kconfigVar is one of them.
type kconfigVar struct {
	name  string
	weak  bool
	id    uint32 // in the object's types
	raw   rawType
	input *manifest.Tunable
}

// linkageAllocated is that of a variable which is there (include/uapi/linux/btf.h).
const linkageAllocated = 1

// readKconfig finds the variables of .kconfig, in the order of the types, before
// the types lose them in kernelForm.
func (o *object) readKconfig(types *rawBTF) error {
	id := types.find(kindDatasec, manifest.KconfigMap)
	section := types.types[id]
	if section.vlen() == 0 {
		return nil
	}
	o.kconfig = &kconfig{section: id, sectionRaw: section}
	for _, v := range section.secVars() {
		if int64(v.typ) >= int64(len(types.types)) {
			return fmt.Errorf("section .BTF: %s has type %d, which is not there", manifest.KconfigMap, v.typ)
		}
		t := types.types[v.typ]
		name := types.string(t.name)
		e, declared := o.externs[name]
		switch {
		case t.kind() != kindVar:
			return notKconfig(name, "it is no variable")
		case !declared || binary.LittleEndian.Uint32(t.tail) != linkageExtern:
			return notKconfig(name, "the object does not declare it as one that is elsewhere")
		case e.kind == "kconfig":
			return notKconfig(name, "it is there twice")
		}
		e.kind = "kconfig"
		o.externs[name] = e
		o.kconfig.vars = append(o.kconfig.vars, &kconfigVar{name: name, weak: e.weak, id: v.typ, raw: t})
	}
	return nil
}

// notKconfig says why a variable has no value that a machine could give it.
func notKconfig(name, why string) error {
	return &UnsupportedError{Name: fmt.Sprintf("variable %q", name), Why: "__kconfig: " + why}
}

// newInput says what a variable may hold, by its type: what libbpf takes
// (src/libbpf.c, find_kcfg_type), with one exception: texts have a limit.
func (o *object) newInput(v *kconfigVar) (*manifest.Tunable, error) {
	declared, err := o.spec.Types.TypeByID(btf.TypeID(v.id))
	if err != nil {
		return nil, fmt.Errorf("section .BTF: variable %q: %w", v.name, err)
	}
	variable, ok := declared.(*btf.Var)
	if !ok {
		return nil, notKconfig(v.name, "it is no variable")
	}
	var kind string
	var size uint32
	switch typ := btf.UnderlyingType(variable.Type).(type) {
	case *btf.Int:
		kind, size = integerKind(typ), typ.Size
	case *btf.Enum:
		if typ.Name != "libbpf_tristate" {
			return nil, notKconfig(v.name, "of enumerations only libbpf_tristate is known")
		}
		kind, size = manifest.TunableEnum, typ.Size
	case *btf.Array:
		element, ok := btf.UnderlyingType(typ.Type).(*btf.Int)
		if !ok || element.Size != 1 || element.Encoding == btf.Bool {
			return nil, notKconfig(v.name, "of arrays only those of char are known")
		}
		kind, size = manifest.TunableString, typ.Nelems
	default:
		return nil, notKconfig(v.name, "its type is no integer, bool, enum libbpf_tristate or array of char")
	}
	t, err := newFact(v.name, kind, size, v.weak)
	if err != nil {
		return nil, notKconfig(v.name, err.Error())
	}
	return t, nil
}

// newFact makes the input for a variable of one of the kinds, besides its place:
// everything that it can hold may be set. The values of enum libbpf_tristate
// have the names that configuration files give them. A weak variable is zero
// where the kernel does not have it.
func newFact(name, kind string, size uint32, weak bool) (*manifest.Tunable, error) {
	t := &manifest.Tunable{Name: name, Source: manifest.SourceKconfig, Map: manifest.KconfigMap, Kind: kind, Size: size}
	option := t.IsConfig()
	zero, good := "", size == 1 || size == 2 || size == 4 || size == 8
	switch kind {
	case manifest.TunableUnsigned, manifest.TunableSigned:
		zero = "0"
		t.Minimum, t.Maximum = limits(size, kind == manifest.TunableSigned)
	case manifest.TunableBool:
		zero, good = "false", size == 1
	case manifest.TunableEnum:
		zero, good = "n", option && good
		t.Choices = []manifest.Choice{{Name: "n", Value: "0"}, {Name: "y", Value: "1"}, {Name: "m", Value: "2"}}
	case manifest.TunableString:
		good = option && size > 0 && size <= manifest.MaxTunableString
	}
	if weak {
		t.Default = &zero
	}
	known := option || name == manifest.KernelVersion || name == manifest.HasAttachCookie || name == manifest.HasSyscallWrapper
	switch {
	case !known && !(weak && strings.HasPrefix(name, manifest.VirtualPrefix)):
		return nil, errors.New("no loader knows this of a kernel")
	case !good:
		return nil, fmt.Errorf("a %s of %d bytes is no type for it", kind, size)
	}
	return t, nil
}

// integerKind is the kind of input that an integer type is.
func integerKind(typ *btf.Int) string {
	switch typ.Encoding {
	case btf.Bool:
		return manifest.TunableBool
	case btf.Signed, btf.Char:
		return manifest.TunableSigned
	default:
		return manifest.TunableUnsigned
	}
}

// align is that of the variable's type.
func (v *kconfigVar) align() uint32 {
	if v.input.Kind == manifest.TunableString {
		return 1
	}
	return v.input.Size
}

// placeKconfig gives every variable its place in the map, the one that libbpf
// gives it (bpf_object__collect_externs), and brings the types into the form that
// the kernel takes: the variables are there, in that order.
func (o *object) placeKconfig() (err error) {
	k := o.kconfig
	if k == nil {
		return nil
	}
	for _, v := range k.vars {
		if v.input, err = o.newInput(v); err != nil {
			return err
		}
	}
	slices.SortFunc(k.vars, func(a, b *kconfigVar) int {
		return cmp.Or(cmp.Compare(b.align(), a.align()), cmp.Compare(a.input.Size, b.input.Size), strings.Compare(a.name, b.name))
	})
	section := k.sectionRaw
	section.tail = nil
	for _, v := range k.vars {
		v.input.Offset = (k.size + v.align() - 1) &^ (v.align() - 1)
		k.size = v.input.Offset + v.input.Size
		variable := v.raw
		variable.tail = binary.LittleEndian.AppendUint32(nil, linkageAllocated)
		o.btf.types[v.id] = variable
		for _, n := range []uint32{v.id, v.input.Offset, v.input.Size} {
			section.tail = binary.LittleEndian.AppendUint32(section.tail, n)
		}
	}
	section.size = k.size
	o.btf.types[k.section] = section
	return nil
}

// newMap is the map of the values: zeroes in the metadata, frozen once the
// loader program has put the machine's into it.
func (k *kconfig) newMap() *mapPlan {
	return &mapPlan{
		name: manifest.KconfigMap, kernelName: manifest.KconfigMap, typ: bpfabi.MapArray,
		keySize: 4, valueSize: k.size, maxEntries: 1,
		flags: bpfabi.MapFlagReadOnlyProgram | bpfabi.MapFlagMmapable, freeze: true,
		btfValue: uint32(k.section), data: make([]byte, k.size),
	}
}

// offset is where a variable lies in the map.
func (k *kconfig) offset(name string) uint32 {
	i := slices.IndexFunc(k.vars, func(v *kconfigVar) bool { return v.name == name })
	return k.vars[i].input.Offset // every extern of the kind is among them
}
