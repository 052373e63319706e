package skeleton

import (
	"encoding/binary"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// typeBuilder writes the BTF of a probe: a structure with members where a
// layout has them, and the function that asks for them.
type typeBuilder struct{ rawBTF }

func newTypeBuilder() *typeBuilder {
	return &typeBuilder{rawBTF{types: []rawType{{}}, strings: []byte{0}}}
}

func (b *typeBuilder) text(s string) uint32 {
	if s == "" {
		return 0
	}
	off := uint32(len(b.strings))
	b.strings = append(append(b.strings, s...), 0)
	return off
}

func (b *typeBuilder) add(name string, kind uint32, vlen int, size uint32, tail []byte) uint32 {
	b.types = append(b.types, rawType{name: b.text(name), info: kind<<24 | uint32(vlen), size: size, tail: tail})
	return uint32(len(b.types) - 1)
}

// integer adds an integer of a size that BTF takes.
func (b *typeBuilder) integer(size uint32) uint32 {
	return b.add("int", kindInt, 0, size, put32(nil, size*8))
}

// function adds int name(void).
func (b *typeBuilder) function(name string) uint32 {
	prototype := b.add("", kindProto, 0, b.integer(4), nil)
	return b.add(name, kindFunc, 1, prototype, nil) // global
}

// structure adds the structure of a layout. Of each member's type there is as
// much as CO-RE compares: its kind and its size.
func (b *typeBuilder) structure(name string, l *manifest.Layout) uint32 {
	var tail []byte
	for _, m := range l.Members {
		tail = put32(tail, b.text(m.Name), b.member(m.Kind, m.Size), m.Offset*8)
	}
	return b.add(name, kindStruct, len(l.Members), l.Size, tail)
}

func (b *typeBuilder) member(kind string, size uint32) uint32 {
	if element, ok := strings.CutPrefix(kind, arrayOf); ok {
		unit := uint32(1)
		if element == manifest.MemberPointer || element == manifest.MemberFunction {
			unit = 8
		}
		return b.add("", kindArray, 0, 0, put32(nil, b.member(element, unit), b.integer(4), size/unit))
	}
	switch kind {
	case manifest.MemberFunction, manifest.MemberPointer:
		return b.add("", kindPtr, 0, 0, nil)
	case manifest.MemberEnum: // without a name it goes with any other
		return b.add("", kindEnum, 1, size, put32(nil, b.text("none"), 0))
	case manifest.MemberFloat:
		return b.add("float", kindFloat, 0, size, nil)
	case manifest.MemberStruct:
		return b.add("", kindStruct, 0, size, nil)
	default:
		return b.integer(size)
	}
}

// check is one thing that CO-RE is asked for, and the answer that is right.
type check struct {
	kind   uint32
	access string
	want   uint32
}

// checks emits, for each, a load of what CO-RE puts there and a jump to the
// end if it is not what is wanted. What is known when the program is verified
// decides which way it goes.
func (b *typeBuilder) checks(typ uint32, checks []check) (insns, relocs []byte) {
	const (
		loadR1   = 0xb7 // r1 = imm
		jneR1    = 0x55 // if r1 != imm goto +off
		movR0    = 0xb7
		exit     = 0x95
		loadR0R2 = 0x79 // r0 = *(u64 *)(r2 + 0)
	)
	total := 2*len(checks) + 2 // the last two: r0 = 0; exit
	for i, c := range checks {
		relocs = put32(relocs, uint32(len(insns)), typ, b.text(c.access), c.kind)
		insns = append(insns, loadR1, 1, 0, 0)
		insns = put32(insns, c.want)
		insns = append(insns, jneR1, 1)
		insns = binary.LittleEndian.AppendUint16(insns, uint16(total-2*i-2))
		insns = put32(insns, c.want)
	}
	insns = append(insns, movR0, 0, 0, 0, 0, 0, 0, 0)
	insns = append(insns, exit, 0, 0, 0, 0, 0, 0, 0)
	insns = append(insns, loadR0R2, 0x20, 0, 0, 0, 0, 0, 0)
	return append(insns, exit, 0, 0, 0, 0, 0, 0, 0), relocs
}

func put32(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}
