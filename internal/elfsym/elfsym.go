// Package elfsym finds functions in an ELF file, as offsets in the file:
// all that attaching a uprobe needs of debug/elf, without the debugging formats
// and decompressors that come with that.
//
// It is strict: what does not follow the format is an error, and no input makes
// it panic or allocate more than its tables have bytes, which are bounded. It
// reads 64-bit files of this machine's byte order, the only ones whose programs
// run on the machines that tbpf is for.
//
// loader imports it. It imports nothing of tbpf.
package elfsym

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNotFound says that the file has no such function.
var ErrNotFound = errors.New("no such function")

var errMalformed = errors.New("malformed ELF file")

// The format (elf(5)), for 64 bits.
const (
	headerSize  = 64
	sectionSize = 64
	segmentSize = 56
	symbolSize  = 24

	sectionSymbols        = 2  // SHT_SYMTAB
	sectionDynamicSymbols = 11 // SHT_DYNSYM
	segmentLoad           = 1  // PT_LOAD
	flagExecute           = 1  // PF_X
	symbolFunction        = 2  // STT_FUNC
)

// maxTable bounds a table, in bytes.
const maxTable = 256 << 20

var order = binary.NativeEndian

// file is an ELF file with its tables of sections and segments.
type file struct {
	r        io.ReaderAt
	size     int64
	sections []byte
	segments []byte
}

// FunctionOffsets returns where in the file of the given size the functions begin
// whose names match, in the order in which the file has them: those of its table
// of symbols, then those of its dynamic one. A function with several names is there
// once. Without any, ErrNotFound.
func FunctionOffsets(r io.ReaderAt, size int64, match func(name []byte) bool) ([]uint64, error) {
	f, err := open(r, size)
	if err != nil {
		return nil, err
	}
	var offsets []uint64
	seen := make(map[uint64]bool)
	for _, kind := range []uint32{sectionSymbols, sectionDynamicSymbols} {
		for s := f.sections; len(s) >= sectionSize; s = s[sectionSize:] {
			if order.Uint32(s[4:]) != kind {
				continue
			}
			err := f.lookUp(s[:sectionSize], match, func(offset uint64) {
				if !seen[offset] {
					seen[offset] = true
					offsets = append(offsets, offset)
				}
			})
			if err != nil {
				return nil, err
			}
		}
	}
	if len(offsets) == 0 {
		return nil, ErrNotFound
	}
	return offsets, nil
}

func open(r io.ReaderAt, size int64) (*file, error) {
	f := &file{r: r, size: size}
	h, err := f.read(0, headerSize)
	if err != nil {
		return nil, err
	}
	native := byte(1)
	if order.Uint16([]byte{0, 1}) == 1 {
		native = 2
	}
	switch {
	case string(h[:4]) != "\x7fELF":
		return nil, errors.New("no ELF file")
	case h[4] != 2 || h[5] != native:
		return nil, errors.New("no 64-bit ELF file of this machine's byte order")
	}
	segments, sections := uint64(order.Uint16(h[56:])), uint64(order.Uint16(h[60:]))
	if segments > 0 && order.Uint16(h[54:]) != segmentSize || sections > 0 && order.Uint16(h[58:]) != sectionSize {
		return nil, errMalformed
	}
	if f.segments, err = f.read(order.Uint64(h[32:]), segments*segmentSize); err != nil {
		return nil, err
	}
	f.sections, err = f.read(order.Uint64(h[40:]), sections*sectionSize)
	return f, err
}

// read reads a table.
func (f *file) read(offset, length uint64) ([]byte, error) {
	if length == 0 {
		return nil, nil
	}
	if length > maxTable || offset > uint64(f.size) || length > uint64(f.size)-offset {
		return nil, errMalformed
	}
	b := make([]byte, length)
	if n, err := f.r.ReadAt(b, int64(offset)); n != len(b) {
		return nil, fmt.Errorf("read ELF file: %w", err)
	}
	return b, nil
}

// lookUp finds the functions of one table of symbols.
func (f *file) lookUp(section []byte, match func([]byte) bool, found func(uint64)) error {
	names := uint64(order.Uint32(section[40:])) * sectionSize
	if names+sectionSize > uint64(len(f.sections)) {
		return errMalformed
	}
	symbols, err := f.read(order.Uint64(section[24:]), order.Uint64(section[32:]))
	if err != nil {
		return err
	}
	strings := f.sections[names:]
	text, err := f.read(order.Uint64(strings[24:]), order.Uint64(strings[32:]))
	if err != nil {
		return err
	}
	for ; len(symbols) >= symbolSize; symbols = symbols[symbolSize:] {
		at := uint64(order.Uint32(symbols))
		if symbols[4]&0xf != symbolFunction || order.Uint16(symbols[6:]) == 0 || at >= uint64(len(text)) {
			continue
		}
		name, _, ended := bytes.Cut(text[at:], []byte{0})
		if !ended || len(name) == 0 || !match(name) {
			continue
		}
		offset, err := f.offset(order.Uint64(symbols[8:]))
		if err != nil {
			return err
		}
		found(offset)
	}
	return nil
}

// offset is where in the file the code at an address is.
func (f *file) offset(address uint64) (uint64, error) {
	for s := f.segments; len(s) >= segmentSize; s = s[segmentSize:] {
		start := order.Uint64(s[16:])
		if order.Uint32(s) == segmentLoad && order.Uint32(s[4:])&flagExecute != 0 && address >= start && address-start < order.Uint64(s[32:]) {
			return address - start + order.Uint64(s[8:]), nil
		}
	}
	return 0, errMalformed
}
