package mutant

import "encoding/binary"

// Kinds of types (include/uapi/linux/btf.h), and how long what follows a type's
// 12 bytes is.
const (
	kindArray   = 3
	kindDatasec = 15
)

func tailOf(info uint32) (int, bool) {
	n := int(info & 0xffff)
	switch info >> 24 & 0x1f {
	case 2, 7, 8, 9, 10, 11, 12, 16, 18:
		return 0, true
	case 1, 14, 17:
		return 4, true
	case kindArray:
		return 12, true
	case 4, 5, kindDatasec, 19:
		return 12 * n, true
	case 6, 13:
		return 8 * n, true
	}
	return 0, false
}

// types returns the types of .BTF, each with what follows it.
func types(f *file, s *script) [][]byte {
	sec := pick(s, f.called(".BTF"))
	if sec == nil || len(sec.data) < 24 {
		return nil
	}
	le := binary.LittleEndian
	from := uint64(le.Uint32(sec.data[4:])) + uint64(le.Uint32(sec.data[8:]))
	to := from + uint64(le.Uint32(sec.data[12:]))
	if to > uint64(len(sec.data)) || from > to {
		return nil
	}
	var list [][]byte
	for rest := sec.data[from:to]; len(rest) >= 12; {
		tail, ok := tailOf(le.Uint32(rest[4:]))
		if !ok || len(rest) < 12+tail {
			break
		}
		list = append(list, rest[:12+tail])
		rest = rest[12+tail:]
	}
	return list
}

func btfType(f *file, s *script) {
	list := types(f, s)
	t := pick(s, list)
	if t == nil {
		return
	}
	le := binary.LittleEndian
	switch s.byte() % 6 {
	case 0:
		copy(t[:4], pick(s, list)) // another's name
	case 1:
		le.PutUint32(t[8:], uint32(s.below(len(list)+2))) // type or size
	case 2:
		le.PutUint32(t[8:], uint32(pick(s, edges)))
	case 3:
		le.PutUint32(t[4:], le.Uint32(t[4:])&^(0x1f<<24)|uint32(s.byte()%20)<<24)
	case 4:
		le.PutUint32(t[4:], le.Uint32(t[4:])^1<<31)
	case 5:
		le.PutUint32(t[4:], le.Uint32(t[4:])^uint32(1+s.byte()%3))
	}
}

// btfMember changes a word of what follows a type: members, parameters,
// variables of a section, enumerators.
func btfMember(f *file, s *script) {
	list := types(f, s)
	t := pick(s, list)
	if len(t) < 16 {
		return
	}
	at := 12 + 4*s.below((len(t)-12)/4)
	if s.byte()%2 == 0 {
		binary.LittleEndian.PutUint32(t[at:], uint32(s.below(len(list)+2)))
	} else {
		binary.LittleEndian.PutUint32(t[at:], uint32(pick(s, edges)))
	}
}

// mapDefinition changes the length of an array type: that is how the
// definitions of maps write numbers, their types, sizes and flags.
func mapDefinition(f *file, s *script) {
	var arrays [][]byte
	for _, t := range types(f, s) {
		if binary.LittleEndian.Uint32(t[4:])>>24&0x1f == kindArray {
			arrays = append(arrays, t)
		}
	}
	if t := pick(s, arrays); t != nil {
		if s.byte()%4 == 0 {
			binary.LittleEndian.PutUint32(t[20:], uint32(pick(s, edges)))
		} else {
			binary.LittleEndian.PutUint32(t[20:], uint32(s.byte()%40))
		}
	}
}

func extRecord(f *file, s *script) {
	sec := pick(s, f.called(".BTF.ext"))
	if sec == nil || len(sec.data) < 4 {
		return
	}
	at := s.below(len(sec.data)-3) &^ 3
	switch s.byte() % 3 {
	case 0:
		binary.LittleEndian.PutUint32(sec.data[at:], uint32(pick(s, edges)))
	case 1:
		binary.LittleEndian.PutUint32(sec.data[at:], uint32(s.below(256)))
	case 2:
		binary.LittleEndian.PutUint32(sec.data[at:], binary.LittleEndian.Uint32(sec.data[at:])^8)
	}
}
