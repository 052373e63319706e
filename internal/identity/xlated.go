//go:build linux

package identity

import (
	"encoding/binary"
	"fmt"
)

// Instruction is one instruction as the verifier left it. Those with a 64-bit
// constant are two.
type Instruction struct {
	Code   byte
	Dst    byte
	Src    byte
	Offset int16
	Imm    int32
	Map    string // what Imm refers to, by the object's name
}

const (
	codeLoad64 = 0x18
	codeCall   = 0x85

	sourceMapFD    = 1 // of a 64-bit load, and in the dump
	sourceMapValue = 2
	sourceKfunc    = 2 // of a call
	sourceType     = 3 // of a 64-bit load: a kernel variable by its type
)

func (i Instruction) String() string {
	s := fmt.Sprintf("%02x r%d r%d %+d %#x", i.Code, i.Dst, i.Src, i.Offset, uint32(i.Imm))
	if i.Map != "" {
		s += fmt.Sprintf(" map %q", i.Map)
	}
	return s
}

// instructions decodes a dump. The kernel writes a map's id where its address
// was (kernel/bpf/syscall.c, bpf_insn_prepare_dump).
func instructions(dump []byte, ids *names) ([]Instruction, error) {
	if len(dump)%8 != 0 {
		return nil, fmt.Errorf("%d bytes are no instructions", len(dump))
	}
	list := make([]Instruction, 0, len(dump)/8)
	for at := 0; at < len(dump); at += 8 {
		b := dump[at:]
		ins := Instruction{
			Code: b[0], Dst: b[1] & 0xf, Src: b[1] >> 4,
			Offset: int16(binary.NativeEndian.Uint16(b[2:])), Imm: int32(binary.NativeEndian.Uint32(b[4:])),
		}
		if ins.Code != codeLoad64 {
			list = append(list, ins)
			continue
		}
		if at += 8; at >= len(dump) {
			return nil, fmt.Errorf("the last instruction is half of one")
		}
		if ins.Src == sourceMapFD || ins.Src == sourceMapValue {
			name, err := ids.mapName(uint32(ins.Imm))
			if err != nil {
				return nil, fmt.Errorf("instruction %d: %w", at/8-1, err)
			}
			ins.Imm, ins.Map = 0, name
		}
		b = dump[at:]
		list = append(list, ins, Instruction{
			Code: b[0], Dst: b[1] & 0xf, Src: b[1] >> 4,
			Offset: int16(binary.NativeEndian.Uint16(b[2:])), Imm: int32(binary.NativeEndian.Uint32(b[4:])),
		})
	}
	return list, nil
}
