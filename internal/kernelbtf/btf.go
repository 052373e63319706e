// Package kernelbtf answers questions about types from BTF that the kernel
// holds. Of its own (/sys/kernel/btf): which members a struct has, and what the
// type with a given number is called. Of an object's: whether a map's keys and
// values are of the same types as another's.
//
// It reads the types where they lie and builds no tables: a kernel has 150,000
// of them, and a question walks over those before the answer. It is strict: what
// does not follow the format on the way is an error, and no input makes it panic
// or loop.
//
// loader and sign import it. It imports nothing of tbpf, and makes no system call.
package kernelbtf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of types (include/uapi/linux/btf.h).
const (
	KindStruct  = 4
	KindTypedef = 8
	KindFunc    = 12
)

// The format's constants.
const (
	magic      = 0xeb9f
	version    = 1
	headerSize = 24
	typeSize   = 12
)

// order is the machine's: a kernel's own BTF has no other.
var order = binary.NativeEndian

// errMalformed is returned for anything that does not follow the format.
var errMalformed = errors.New("malformed BTF")

// Types are the types of the kernel or of one module.
type Types struct {
	types   []byte
	strings []byte
	base    *Types // a module's numbers and strings continue the kernel's
	first   uint32 // number of the first type: a module's follow the kernel's
}

// Type is one type.
type Type struct {
	ID   uint32
	Kind int
	nm   uint32
	vlen uint32
	flag uint32 // kind_flag
	ref  uint32 // size, or the number of another type, by kind
	body []byte // what follows the common header
}

// Parse reads BTF. base is the kernel's for a module's BTF, nil for the
// kernel's own. The result refers to b.
func Parse(b []byte, base *Types) (*Types, error) {
	if len(b) < headerSize {
		return nil, errMalformed
	}
	t := &Types{base: base, first: 1} // 0 is void
	if base != nil {
		n, err := base.count()
		if err != nil {
			return nil, err
		}
		t.first += n
	}
	if order.Uint16(b) != magic {
		return nil, errMalformed
	}
	if b[2] != version {
		return nil, fmt.Errorf("BTF of version %d", b[2])
	}
	hdrLen := uint64(order.Uint32(b[4:]))
	if hdrLen < headerSize || hdrLen > uint64(len(b)) {
		return nil, errMalformed
	}
	section := func(at int) ([]byte, error) {
		off, n := hdrLen+uint64(order.Uint32(b[at:])), uint64(order.Uint32(b[at+4:]))
		if off+n > uint64(len(b)) {
			return nil, errMalformed
		}
		return b[off : off+n], nil
	}
	var err error
	if t.types, err = section(8); err != nil {
		return nil, err
	}
	if t.strings, err = section(16); err != nil {
		return nil, err
	}
	if n := len(t.strings); n == 0 && base == nil || n > 0 && t.strings[n-1] != 0 {
		return nil, errMalformed
	}
	return t, nil
}

// count is the number of types.
func (t *Types) count() (n uint32, err error) {
	err = t.each(func(Type) bool { n++; return true })
	return n, err
}

// each calls f with every type in order until f returns false.
func (t *Types) each(f func(Type) bool) error {
	id := t.first
	for b := t.types; len(b) > 0; id++ {
		if len(b) < typeSize {
			return errMalformed
		}
		info := order.Uint32(b[4:])
		ty := Type{ID: id, Kind: int(info >> 24 & 0x1f), nm: order.Uint32(b), vlen: info & 0xffff, flag: info >> 31, ref: order.Uint32(b[8:])}
		n, ok := bodySize(ty.Kind, ty.vlen)
		if !ok || uint64(len(b)) < uint64(typeSize+n) {
			return errMalformed
		}
		ty.body, b = b[typeSize:typeSize+n], b[typeSize+n:]
		if !f(ty) {
			return nil
		}
	}
	return nil
}

// bodySize is the number of bytes that follow the header of a type.
func bodySize(kind int, vlen uint32) (int, bool) {
	n := int(vlen) // at most 65535
	switch kind {
	case 1, 14, 17: // int, var, decl_tag
		return 4, true
	case 2, 7, 8, 9, 10, 11, 12, 16, 18: // ptr, fwd, typedef, volatile, const, restrict, func, float, type_tag
		return 0, true
	case 3: // array
		return 12, true
	case 4, 5, 15, 19: // struct, union, datasec, enum64
		return 12 * n, true
	case 6, 13: // enum, func_proto
		return 8 * n, true
	default: // 0 is void, which is never written; of a newer kind nobody knows the size
		return 0, false
	}
}

// text returns the string at an offset, and false if there is none.
func (t *Types) text(off uint32) ([]byte, bool) {
	if t.base != nil {
		n := uint32(len(t.base.strings))
		if off < n {
			return t.base.text(off)
		}
		off -= n
	}
	if uint64(off) >= uint64(len(t.strings)) {
		return nil, false
	}
	s := t.strings[off:]
	return s[:bytes.IndexByte(s, 0)], true // the section ends with a NUL
}

// Find returns the type with this number, and false if there is none.
func (t *Types) Find(id uint32) (found Type, ok bool, err error) {
	if t.base != nil && id < t.first {
		return t.base.Find(id)
	}
	err = t.each(func(ty Type) bool {
		if ty.ID == id {
			found, ok = ty, true
		}
		return ty.ID < id
	})
	return found, ok, err
}

// Name returns the type's name, empty if it has none.
func (t *Types) Name(ty Type) string {
	s, _ := t.text(ty.nm)
	return string(s)
}

// Function returns the number of the function of this name, 0 if there is none or
// there are several.
func (t *Types) Function(name string) (id uint32, err error) {
	several := false
	err = t.each(func(ty Type) bool {
		if ty.Kind == KindFunc && t.Name(ty) == name {
			several = id != 0
			id = ty.ID
		}
		return !several
	})
	if several {
		id = 0
	}
	return id, err
}

// HasMember reports whether a struct of this name has a member of that name.
func (t *Types) HasMember(structure, member string) (found bool, err error) {
	err = t.each(func(ty Type) bool {
		if ty.Kind != KindStruct {
			return true
		}
		if s, ok := t.text(ty.nm); !ok || string(s) != structure {
			return true
		}
		for m := ty.body; len(m) > 0; m = m[12:] {
			if s, ok := t.text(order.Uint32(m)); ok && string(s) == member {
				found = true
				return false
			}
		}
		return true // modules' types can repeat a name
	})
	return found, err
}
