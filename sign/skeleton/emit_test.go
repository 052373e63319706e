package skeleton

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cilium/ebpf/asm"
)

// Loader programs of any length must reach their ends: jumps in BPF reach
// 2^15 instructions.
func TestIslandsCarryFarJumps(t *testing.T) {
	e := &emitter{img: &image{}, labels: make(map[string]int), far: map[string]bool{"last": true}}
	e.add(asm.Ja.Label("last.0"))
	e.label("start.0")
	var fails []int
	for i := range 40000 {
		e.breakpoint()
		e.add(asm.Mov.Imm(asm.R0, int32(i)), asm.Mov.Imm(asm.R1, 0), asm.Mov.Imm(asm.R2, 0))
		fails = append(fails, len(e.code))
		e.add(asm.JSLT.Imm(asm.R0, 0, e.farLabel("fail")))
	}
	e.add(asm.Return())
	e.label(fmt.Sprintf("fail.%d", e.island))
	fail := len(e.code)
	e.add(asm.Return())
	e.label(fmt.Sprintf("last.%d", e.island))
	last := len(e.code)
	e.add(asm.Ja.Label(fmt.Sprintf("start.%d", e.island)))
	if err := e.resolve(); err != nil {
		t.Fatal(err)
	}
	if e.island < 5 {
		t.Fatalf("%d islands in %d instructions", e.island, len(e.code)/8)
	}
	if got := follow(e.code, 0); got != 8 {
		t.Errorf("the program starts at byte %d", got)
	}
	if got := follow(e.code[:last+8], last); got != 8 {
		t.Errorf("the last instruction leads to byte %d", got)
	}
	for _, at := range fails {
		to := at + 8 + 8*int(int16(binary.LittleEndian.Uint16(e.code[at+2:])))
		if got := follow(e.code, to); got != fail {
			t.Fatalf("the jump at byte %d ends at %d, want %d", at, got, fail)
		}
	}
}

// follow goes along unconditional jumps.
func follow(code []byte, at int) int {
	for code[at] == 0x05 {
		at += 8 + 8*int(int16(binary.LittleEndian.Uint16(code[at+2:])))
	}
	return at
}
