package skeleton

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// extInfo is an object's .BTF.ext section by ELF section name: function, line
// and CO-RE records in the order of their instruction offsets, which count the
// bytes of the section's functions, without gaps between them.
type extInfo struct {
	funcs map[string][]extRecord
	lines map[string][]extRecord
	relos map[string][]extRecord
}

// extRecord is one record. Its data starts with the four bytes of the offset
// and refers to types and strings of the same object's .BTF.
type extRecord struct {
	off  uint32 // bytes
	data []byte
}

// Sizes of the records that the kernel takes (include/uapi/linux/bpf.h:
// bpf_func_info, bpf_line_info, bpf_core_relo).
const (
	funcRecordSize = 8
	lineRecordSize = 16
	reloRecordSize = 16
)

// parseExtInfo reads a .BTF.ext section.
func parseExtInfo(b []byte, types *rawBTF) (*extInfo, error) {
	le := binary.LittleEndian
	if len(b) < 24 || le.Uint16(b) != btfMagic || b[2] != 1 {
		return nil, fmt.Errorf("section .BTF.ext: no header of version 1")
	}
	hdr := uint64(le.Uint32(b[4:]))
	if hdr < 24 || hdr > uint64(len(b)) {
		return nil, fmt.Errorf("section .BTF.ext: header length %d", hdr)
	}
	body := b[hdr:]
	parse := func(field int, size int) (map[string][]extRecord, error) {
		if int(hdr) < field+8 {
			return nil, nil
		}
		s, err := subslice(body, le.Uint32(b[field:]), le.Uint32(b[field+4:]))
		if err != nil {
			return nil, fmt.Errorf("section .BTF.ext: %w", err)
		}
		return parseExtRecords(s, size, types)
	}
	e := new(extInfo)
	var err error
	if e.funcs, err = parse(8, funcRecordSize); err != nil {
		return nil, err
	}
	for section, records := range e.funcs {
		for _, r := range records {
			// cilium/ebpf looks at those that it comes across, which are not always the same.
			if id := le.Uint32(r.data[4:]); int64(id) >= int64(len(types.types)) || types.types[id].kind() != kindFunc {
				return nil, fmt.Errorf("section .BTF.ext: the type of a function of %q is none of a function", section)
			}
		}
	}
	if e.lines, err = parse(16, lineRecordSize); err != nil {
		return nil, err
	}
	if e.relos, err = parse(24, reloRecordSize); err != nil {
		return nil, err
	}
	return e, nil
}

// parseExtRecords reads one of the three tables: a record size, then per ELF
// section its name, a count and so many records.
func parseExtRecords(b []byte, size int, types *rawBTF) (map[string][]extRecord, error) {
	if len(b) == 0 {
		return nil, nil
	}
	le := binary.LittleEndian
	if len(b) < 4 {
		return nil, fmt.Errorf("section .BTF.ext: table is cut short")
	}
	stride := uint64(le.Uint32(b))
	if stride < uint64(size) || stride > 4096 {
		return nil, fmt.Errorf("section .BTF.ext: record size %d, at least %d expected", stride, size)
	}
	b = b[4:]
	table := make(map[string][]extRecord)
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, fmt.Errorf("section .BTF.ext: table is cut short")
		}
		name, count := types.string(le.Uint32(b)), uint64(le.Uint32(b[4:]))
		b = b[8:]
		if count*stride > uint64(len(b)) {
			return nil, fmt.Errorf("section .BTF.ext: %d records of %q exceed the table", count, name)
		}
		if _, ok := table[name]; ok {
			return nil, fmt.Errorf("section .BTF.ext: records of %q stand twice", name)
		}
		records := make([]extRecord, 0, count)
		for range count {
			records = append(records, extRecord{off: le.Uint32(b), data: b[:size]})
			b = b[stride:]
		}
		slices.SortStableFunc(records, func(x, y extRecord) int { return int(int64(x.off) - int64(y.off)) })
		table[name] = records
	}
	return table, nil
}

// window returns the records of offsets from lo up to, not including, hi.
func window(records []extRecord, lo, hi uint32) []extRecord {
	from, _ := slices.BinarySearchFunc(records, lo, func(r extRecord, off uint32) int { return int(int64(r.off) - int64(off)) })
	to, _ := slices.BinarySearchFunc(records, hi, func(r extRecord, off uint32) int { return int(int64(r.off) - int64(off)) })
	return records[from:to]
}
