package skeleton

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// BTF kinds (include/uapi/linux/btf.h).
const (
	kindInt      = 1
	kindPtr      = 2
	kindArray    = 3
	kindStruct   = 4
	kindUnion    = 5
	kindEnum     = 6
	kindFwd      = 7
	kindTypedef  = 8
	kindVolatile = 9
	kindConst    = 10
	kindRestrict = 11
	kindFunc     = 12
	kindProto    = 13
	kindVar      = 14
	kindDatasec  = 15
	kindFloat    = 16
	kindDeclTag  = 17
	kindTypeTag  = 18
	kindEnum64   = 19
)

const (
	btfMagic      = 0xeb9f
	btfHeaderSize = 24

	linkageStatic = 0
	linkageExtern = 2
)

// rawBTF is an object's .BTF section, type by type. Types keep their numbers
// and the string section is never touched: the records of .BTF.ext refer to
// both, and this way they need no translation.
type rawBTF struct {
	types   []rawType // types[0] is the void type
	strings []byte
}

// rawType is one type: the common header and what follows it.
type rawType struct {
	name uint32 // offset into the strings
	info uint32
	size uint32 // or type, by kind
	tail []byte
}

func (t *rawType) kind() uint32 { return t.info >> 24 & 0x1f }
func (t *rawType) vlen() int    { return int(t.info & 0xffff) }

// tailSize is the number of bytes that follow the type's common header.
func (t *rawType) tailSize() (int, error) {
	switch t.kind() {
	case kindPtr, kindFwd, kindTypedef, kindVolatile, kindConst, kindRestrict, kindFunc, kindFloat, kindTypeTag:
		return 0, nil
	case kindInt, kindVar, kindDeclTag:
		return 4, nil
	case kindArray:
		return 12, nil
	case kindStruct, kindUnion, kindDatasec, kindEnum64:
		return 12 * t.vlen(), nil
	case kindEnum, kindProto:
		return 8 * t.vlen(), nil
	default:
		return 0, fmt.Errorf("BTF kind %d is unknown", t.kind())
	}
}

// parseBTF splits a .BTF section. The slices alias b.
func parseBTF(b []byte) (*rawBTF, error) {
	if len(b) < btfHeaderSize {
		return nil, fmt.Errorf("section .BTF: %d bytes are no header", len(b))
	}
	le := binary.LittleEndian
	if le.Uint16(b) != btfMagic || b[2] != 1 {
		return nil, fmt.Errorf("section .BTF: magic or version is not that of BTF version 1")
	}
	hdr := uint64(le.Uint32(b[4:]))
	if hdr < btfHeaderSize || hdr > uint64(len(b)) {
		return nil, fmt.Errorf("section .BTF: header length %d", hdr)
	}
	typ, err := subslice(b[hdr:], le.Uint32(b[8:]), le.Uint32(b[12:]))
	if err != nil {
		return nil, fmt.Errorf("section .BTF: types: %w", err)
	}
	str, err := subslice(b[hdr:], le.Uint32(b[16:]), le.Uint32(b[20:]))
	if err != nil {
		return nil, fmt.Errorf("section .BTF: strings: %w", err)
	}
	r := &rawBTF{types: []rawType{{}}, strings: str}
	for len(typ) > 0 {
		if len(typ) < 12 {
			return nil, fmt.Errorf("section .BTF: type %d is cut short", len(r.types))
		}
		t := rawType{name: le.Uint32(typ), info: le.Uint32(typ[4:]), size: le.Uint32(typ[8:])}
		n, err := t.tailSize()
		if err != nil {
			return nil, fmt.Errorf("section .BTF: type %d: %w", len(r.types), err)
		}
		if len(typ) < 12+n {
			return nil, fmt.Errorf("section .BTF: type %d is cut short", len(r.types))
		}
		t.tail = typ[12 : 12+n]
		typ = typ[12+n:]
		r.types = append(r.types, t)
	}
	if err := r.checkNames(); err != nil {
		return nil, err
	}
	return r, nil
}

// subslice returns size bytes of b from off.
func subslice(b []byte, off, size uint32) ([]byte, error) {
	if uint64(off)+uint64(size) > uint64(len(b)) {
		return nil, fmt.Errorf("offset %d and size %d exceed %d bytes", off, size, len(b))
	}
	return b[off : uint64(off)+uint64(size)], nil
}

// string returns the name at an offset of the string section.
func (r *rawBTF) string(off uint32) string {
	if uint64(off) >= uint64(len(r.strings)) {
		return ""
	}
	s := r.strings[off:]
	if i := bytes.IndexByte(s, 0); i >= 0 {
		return string(s[:i])
	}
	return ""
}

// find returns the number of the first type of a kind and name, 0 if there is none.
func (r *rawBTF) find(kind uint32, name string) int {
	for i := range r.types {
		if t := &r.types[i]; i > 0 && t.kind() == kind && r.string(t.name) == name {
			return i
		}
	}
	return 0
}

// datasec returns the variables of a data section's type: number, offset and size.
type secVar struct{ typ, off, size uint32 }

func (t *rawType) secVars() []secVar {
	vars := make([]secVar, 0, t.vlen())
	for b := t.tail; len(b) >= 12; b = b[12:] {
		vars = append(vars, secVar{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])})
	}
	return vars
}

// isVoid reports whether a type is void behind modifiers and typedefs.
func (r *rawBTF) isVoid(id uint32) bool {
	for depth := 0; id != 0 && depth < 32; depth++ {
		if int64(id) >= int64(len(r.types)) {
			return false
		}
		switch t := &r.types[id]; t.kind() {
		case kindTypedef, kindVolatile, kindConst, kindRestrict, kindTypeTag:
			id = t.size
		default:
			return false
		}
	}
	return id == 0
}

// blank makes a type a pointer to void: valid everywhere, used by nothing.
func (r *rawBTF) blank(id int) {
	r.types[id] = rawType{info: kindPtr << 24}
}

// sectionLayout is what the ELF symbol table knows of a data section and BTF
// as compilers write it does not.
type sectionLayout struct {
	size    uint32
	offsets map[string]uint32 // by variable
}

// kernelForm rewrites the types so that the kernel takes them (kernel/bpf/btf.c,
// the *_check_meta functions): declarations of things that are not in the
// object become pointers, data sections get their size and offsets, hidden
// functions become static. layouts is by section name; hidden says which
// functions have hidden visibility, shared which names several variables have:
// there the linker has put in the offsets.
func (r *rawBTF) kernelForm(layouts map[string]sectionLayout, hidden, shared map[string]bool) {
	blanked := make(map[uint32]bool)
	for id := 1; id < len(r.types); id++ {
		t := &r.types[id]
		name := r.string(t.name)
		switch t.kind() {
		case kindFunc:
			if t.info&0xffff == linkageExtern {
				r.blank(id)
				blanked[uint32(id)] = true
			} else if hidden[name] {
				t.info = t.info&^0xffff | linkageStatic
			}
		case kindVar:
			if len(t.tail) == 4 && binary.LittleEndian.Uint32(t.tail) == linkageExtern {
				r.blank(id)
				blanked[uint32(id)] = true
			}
		}
	}
	r.nameParameters()
	for id := 1; id < len(r.types); id++ {
		t := &r.types[id]
		if t.kind() != kindDatasec {
			continue
		}
		if !r.layOut(t, layouts, blanked, shared) {
			r.blank(id)
			blanked[uint32(id)] = true
			continue
		}
		r.plainName(t)
	}
	for id := 1; id < len(r.types); id++ {
		if t := &r.types[id]; t.kind() == kindDeclTag && blanked[t.size] {
			r.blank(id)
		}
	}
}

// plainName writes an underscore in place of the question mark with which the name
// of an optional section begins, and which Linux 6.1 does not take (libbpf does the
// same there). Nothing refers to sections of code or structures by name.
func (r *rawBTF) plainName(t *rawType) {
	if name := r.string(t.name); name != "" && name[0] == '?' {
		t.name = r.add("_" + name[1:])
	}
}

// add adds a name and returns where it stands.
func (r *rawBTF) add(name string) uint32 {
	at := uint32(len(r.strings))
	r.strings = append(append(slices.Clip(r.strings), name...), 0)
	return at
}

// nameParameters gives names to the parameters of functions that have none in
// the source: the kernel refuses functions with them (kernel/bpf/btf.c,
// btf_func_check). A last parameter of no type stands for "and so on" and stays.
func (r *rawBTF) nameParameters() {
	if len(r.strings) == 0 || r.strings[len(r.strings)-1] != 0 {
		return // the kernel will refuse it
	}
	var name uint32
	for id := 1; id < len(r.types); id++ {
		if r.types[id].kind() != kindFunc || int64(r.types[id].size) >= int64(len(r.types)) {
			continue
		}
		proto := &r.types[r.types[id].size]
		if proto.kind() != kindProto {
			continue
		}
		proto.tail = slices.Clone(proto.tail)
		for at := 0; at+8 <= len(proto.tail); at += 8 {
			own, typ := binary.LittleEndian.Uint32(proto.tail[at:]), binary.LittleEndian.Uint32(proto.tail[at+4:])
			if typ == 0 || r.string(own) != "" {
				continue
			}
			if name == 0 {
				name = uint32(len(r.strings))
				r.strings = append(slices.Clip(r.strings), "unnamed\x00"...)
			}
			binary.LittleEndian.PutUint32(proto.tail[at:], name)
		}
	}
}

// layOut completes one data section; false means that the kernel could not
// take it.
func (r *rawBTF) layOut(t *rawType, layouts map[string]sectionLayout, blanked map[uint32]bool, shared map[string]bool) bool {
	layout, ok := layouts[r.string(t.name)]
	if !ok {
		return false
	}
	if t.size == 0 {
		t.size = layout.size
	}
	vars := t.secVars()
	for i, v := range vars {
		if blanked[v.typ] || int64(v.typ) >= int64(len(r.types)) {
			return false
		}
		name := r.string(r.types[v.typ].name)
		if shared[name] {
			continue
		}
		off, ok := layout.offsets[name]
		if !ok {
			return false
		}
		vars[i].off = off
	}
	slices.SortStableFunc(vars, func(a, b secVar) int { return cmp.Compare(a.off, b.off) })
	tail := make([]byte, 0, len(t.tail))
	for _, v := range vars {
		tail = binary.LittleEndian.AppendUint32(tail, v.typ)
		tail = binary.LittleEndian.AppendUint32(tail, v.off)
		tail = binary.LittleEndian.AppendUint32(tail, v.size)
	}
	t.tail = tail
	return true
}

// encode is the inverse of parseBTF.
func (r *rawBTF) encode() []byte {
	le := binary.LittleEndian
	var types []byte
	for _, t := range r.types[1:] {
		types = le.AppendUint32(types, t.name)
		types = le.AppendUint32(types, t.info)
		types = le.AppendUint32(types, t.size)
		types = append(types, t.tail...)
	}
	b := le.AppendUint16(nil, btfMagic)
	b = append(b, 1, 0)
	b = le.AppendUint32(b, btfHeaderSize)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, uint32(len(types)))
	b = le.AppendUint32(b, uint32(len(types)))
	b = le.AppendUint32(b, uint32(len(r.strings)))
	b = append(b, types...)
	return append(b, r.strings...)
}
