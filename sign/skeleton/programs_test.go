package skeleton

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf/asm"
)

// The bytes of programs come from the object and only references are patched.
// cilium/ebpf's own linker must come to the same.
func TestProgramsAreThoseOfTheObject(t *testing.T) {
	for name, object := range fixtures(t, "*.bpf.o") {
		o, err := parseObject(object)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, err := newPlan(o, Options{})
		if err != nil {
			continue
		}
		for _, prog := range p.progs {
			var insns asm.Instructions
			for _, ins := range prog.spec.Instructions {
				ref := ins.Reference()
				switch e, extern := o.externs[ref]; {
				case ins.IsLoadFromMap():
					name, at := o.mapName(ref), uint32(0)
					if name == arenaSection {
						name, at = o.arena.plan.name, o.arena.at
					}
					if ins.Src == asm.PseudoMapValue {
						ins.Src = pseudoMapIdxValue
					} else {
						ins.Src = pseudoMapIdx
					}
					ins.Constant = ins.Constant&^0xffffffff + int64(at)<<32 | int64(p.mapNamed(name).fd)
					ins = ins.WithReference("")
				case extern && e.kind == "kconfig":
					ins.Src = pseudoMapIdxValue
					ins.Constant = int64(o.kconfig.offset(ref))<<32 | int64(p.mapNamed(".kconfig").fd)
					ins = ins.WithReference("")
				case extern && e.kind != "":
					ins.Constant = 0
					ins = ins.WithReference("")
				}
				insns = append(insns, ins)
			}
			var buf bytes.Buffer
			if err := insns.Marshal(&buf, binary.LittleEndian); err != nil {
				t.Errorf("%s: program %s: %v", name, prog.name, err)
				continue
			}
			linked := prog.insns
			if _, more := o.callbacks[prog.name]; more { // a callback stands behind what is linked
				linked = linked[:min(buf.Len(), len(linked))]
			}
			if !bytes.Equal(buf.Bytes(), withoutCasts(linked)) {
				t.Errorf("%s: program %s differs from what cilium/ebpf links", name, prog.name)
			}
		}
	}
}

// withoutCasts makes casts between address spaces plain moves, as which
// cilium/ebpf writes them.
func withoutCasts(insns []byte) []byte {
	const mov64, addressSpaceCast = 0xbf, 1
	insns = bytes.Clone(insns)
	for at := 0; at+8 <= len(insns); at += 8 {
		switch ins := insns[at:][:8]; {
		case ins[0] == 0x18:
			at += 8
		case ins[0] == mov64 && ins[2] == addressSpaceCast && ins[3] == 0:
			clear(ins[2:4])
		}
	}
	return insns
}
