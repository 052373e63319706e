package kernelbtf

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Kinds that a digest tells apart, besides those above.
const (
	kindInt      = 1
	kindPtr      = 2
	kindArray    = 3
	kindUnion    = 5
	kindEnum     = 6
	kindFwd      = 7
	kindVolatile = 9
	kindConst    = 10
	kindRestrict = 11
	kindVar      = 14
	kindDatasec  = 15
	kindFloat    = 16
	kindTypeTag  = 18
	kindEnum64   = 19
)

// Limits of what a digest is made of: types within types, all of them, and the
// bytes that they are written down in.
const (
	maxDepth = 64
	maxNodes = 1 << 16
	maxBytes = 4 << 20
)

// digestDomain begins what is hashed, so that it is a digest of nothing else.
const digestDomain = "tbpf-map-types/1\x00"

var errTooLarge = errors.New("types are too many or nested too deeply")

// MapTypes is the SHA-256 of what a map's keys and values are, from the numbers
// of their types, 0 for none. Two maps that have the same hold the same: names,
// sizes, places and types of all members, down to what pointers point to, of
// which only kind, name and tags count. How types are numbered does not count,
// and neither do typedefs, const, volatile and restrict. docs/format.md has what
// is hashed.
func (t *Types) MapTypes(key, value uint32) (sum [sha256.Size]byte, err error) {
	w := &walk{types: t, out: []byte(digestDomain)}
	if err := t.each(func(ty Type) bool { w.all = append(w.all, ty); return true }); err != nil {
		return sum, err
	}
	for _, id := range []uint32{key, value} {
		if err := w.add(id, 0); err != nil {
			return sum, err
		}
	}
	return sha256.Sum256(w.out), nil
}

// NoMapTypes is MapTypes of a map without types.
func NoMapTypes() [sha256.Size]byte {
	w := &walk{out: []byte(digestDomain)}
	w.put(0)
	w.put(0)
	return sha256.Sum256(w.out)
}

// walk writes types down in a form in which they have no numbers.
type walk struct {
	types *Types
	all   []Type
	out   []byte
	nodes int
}

func (w *walk) put(words ...uint32) {
	for _, v := range words {
		w.out = binary.LittleEndian.AppendUint32(w.out, v)
	}
}

// step counts one more type or value.
func (w *walk) step() error {
	if w.nodes++; w.nodes > maxNodes || len(w.out) > maxBytes {
		return errTooLarge
	}
	return nil
}

// name writes a string of the types, with its length in front.
func (w *walk) name(off uint32) error {
	s, ok := w.types.text(off)
	if !ok {
		return errMalformed
	}
	w.put(uint32(len(s)))
	w.out = append(w.out, s...)
	return nil
}

// resolve goes through what does not count: typedefs and qualifiers. found is
// nil for void.
func (w *walk) resolve(id uint32) (found *Type, err error) {
	for range maxDepth {
		if id == 0 {
			return nil, nil
		}
		if id < w.types.first || id-w.types.first >= uint32(len(w.all)) {
			return nil, errMalformed
		}
		ty := &w.all[id-w.types.first]
		switch ty.Kind {
		case KindTypedef, kindVolatile, kindConst, kindRestrict:
			id = ty.ref
		default:
			return ty, nil
		}
	}
	return nil, errTooLarge
}

// add writes one type: its kind, and what makes it one.
func (w *walk) add(id uint32, depth int) error {
	if err := w.step(); err != nil || depth > maxDepth {
		return errTooLarge
	}
	ty, err := w.resolve(id)
	if err != nil {
		return err
	}
	if ty == nil {
		w.put(0)
		return nil
	}
	w.put(uint32(ty.Kind))
	switch ty.Kind {
	case kindInt: // size, and how its bits are laid out
		w.put(ty.ref, order.Uint32(ty.body))
	case kindFloat:
		w.put(ty.ref)
	case kindPtr:
		return w.pointer(ty.ref)
	case kindArray:
		w.put(order.Uint32(ty.body[8:]))
		return w.add(order.Uint32(ty.body), depth+1)
	case KindStruct, kindUnion:
		return w.members(ty, depth)
	case kindEnum, kindEnum64:
		return w.values(ty)
	case kindFwd:
		w.put(ty.flag)
		return w.name(ty.nm)
	case kindTypeTag, kindVar:
		if err := w.name(ty.nm); err != nil {
			return err
		}
		return w.add(ty.ref, depth+1)
	case kindDatasec:
		return w.variables(ty, depth)
	default: // functions are nowhere but behind pointers
		return errMalformed
	}
	return nil
}

// pointer writes what a pointer points to: the tags, as of a kptr, and the kind
// and name behind them.
func (w *walk) pointer(id uint32) error {
	for range maxDepth {
		ty, err := w.resolve(id)
		if err != nil {
			return err
		}
		if ty == nil {
			w.put(0)
			return nil
		}
		w.put(uint32(ty.Kind))
		if err := w.name(ty.nm); err != nil {
			return err
		}
		if ty.Kind != kindTypeTag {
			return nil
		}
		id = ty.ref
	}
	return errTooLarge
}

func (w *walk) members(ty *Type, depth int) error {
	if err := w.name(ty.nm); err != nil {
		return err
	}
	w.put(ty.ref, ty.flag, ty.vlen) // flag: whether offsets have the sizes of bit fields in them
	for m := ty.body; len(m) > 0; m = m[12:] {
		if err := w.name(order.Uint32(m)); err != nil {
			return err
		}
		w.put(order.Uint32(m[8:]))
		if err := w.add(order.Uint32(m[4:]), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) values(ty *Type) error {
	w.put(ty.ref, ty.flag, ty.vlen)
	size := 8
	if ty.Kind == kindEnum64 {
		size = 12
	}
	for v := ty.body; len(v) > 0; v = v[size:] {
		if err := w.step(); err != nil {
			return err
		}
		if err := w.name(order.Uint32(v)); err != nil {
			return err
		}
		for at := 4; at < size; at += 4 {
			w.put(order.Uint32(v[at:]))
		}
	}
	return nil
}

// variables writes a data section.
func (w *walk) variables(ty *Type, depth int) error {
	if err := w.name(ty.nm); err != nil {
		return err
	}
	w.put(ty.ref, ty.vlen)
	for v := ty.body; len(v) > 0; v = v[12:] {
		w.put(order.Uint32(v[4:]), order.Uint32(v[8:]))
		if err := w.add(order.Uint32(v), depth+1); err != nil {
			return err
		}
	}
	return nil
}
