package skeleton

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// chooseLayout finds out which of its layouts a structure has on this kernel:
// the first whose probe the verifier takes. Another error than a refusal of
// the probe is an error of the load.
func (e *emitter) chooseLayout(p *plan, t *tablePlan) {
	e.breakpoint()
	e.stage(loadctx.StageLayout, p.mapIndex(t.maps[0]))
	img, chosen := e.img.tables[t], "layout."+t.name
	e.address(asm.R1, img.value)
	e.add(
		asm.Mov.Imm(asm.R2, int32(len(valuePrefix+t.name)+1)),
		asm.Mov.Imm(asm.R3, kindStruct),
		asm.Mov.Imm(asm.R4, 0),
	)
	e.call(helperFindBTF)
	e.must()
	// The upper half is the types of a module: they are of no use to a value
	// that is asked for without naming them.
	e.add(asm.Mov.Reg(asm.R1, asm.R0), asm.RSh.Imm(asm.R1, 32), asm.JEq.Imm(asm.R1, 0, chosen+".vmlinux"))
	e.store(e.img.fd(t.typesFD), asm.R1, asm.Word)
	e.add(asm.Mov.Imm(regErr, -errUnsupported), asm.Ja.Label(e.farLabel("fail")))
	e.label(chosen + ".vmlinux")
	for _, m := range t.maps {
		e.store(e.img.maps[m].attr+mapCreateVmlinux, asm.R0, asm.Word)
	}
	for k, probe := range img.probes {
		next := fmt.Sprintf("%s.%d", chosen, k)
		e.pointer(probe.btf+btfLoadData, probe.types)
		e.bpf(bpfabi.CommandBTFLoad, probe.btf, btfLoadLen)
		e.must()
		e.store(e.img.fd(t.typesFD), asm.R0, asm.Word)
		e.store(probe.attr+progLoadBTF, asm.R0, asm.Word)
		for _, field := range [][2]int{{progLoadInsns, probe.insns}, {progLoadLicense, probe.license}, {progLoadFuncs, probe.funcs}, {progLoadRelos, probe.relocs}} {
			e.pointer(probe.attr+field[0], field[1])
		}
		e.bpf(bpfabi.CommandProgLoad, probe.attr, progLoadLen)
		e.add(asm.Mov.Reg(regErr, asm.R0))
		e.closeNow(t.typesFD)
		e.add(
			asm.JEq.Imm(regErr, -errInvalid, next),
			asm.JEq.Imm(regErr, -errAccess, next),
			asm.JSLT.Imm(regErr, 0, e.farLabel("fail")),
			asm.Mov.Reg(asm.R1, regErr),
		)
		e.call(helperSysClose)
		e.useLayout(t, k)
		e.add(asm.Ja.Label(chosen))
		e.label(next)
	}
	e.add(asm.Mov.Imm(regErr, -errUnsupported), asm.Ja.Label(e.farLabel("fail")))
	e.label(chosen)
}

// useLayout puts into the attributes what depends on the layout.
func (e *emitter) useLayout(t *tablePlan, k int) {
	e.add(asm.Mov.Imm(asm.R1, int32(k)))
	e.store(e.img.tables[t].choice, asm.R1, asm.Word)
	e.add(asm.Mov.Imm(asm.R1, int32(t.layouts[k].ValueSize)))
	for _, m := range t.maps {
		e.store(e.img.maps[m].attr+mapCreateValueSize, asm.R1, asm.Word)
	}
	for _, m := range t.maps {
		for _, f := range m.placed[k].funcs {
			e.add(asm.Mov.Imm(asm.R1, int32(f.index)))
			e.store(e.img.prog[t.programs[f.program]].attr+progLoadAttachType, asm.R1, asm.Word)
		}
	}
}

// fillStructOps gives map i its value, with the programs that were loaded.
func (e *emitter) fillStructOps(i int, m *mapPlan) {
	if m.ops == nil {
		return
	}
	e.breakpoint()
	e.stage(loadctx.StageMapInit, i)
	filled := fmt.Sprintf("filled.%d", i)
	for k, placed := range m.placed {
		next := fmt.Sprintf("%s.%d", filled, k)
		e.load(asm.R1, e.img.tables[m.table].choice, asm.Word)
		e.add(asm.JNE.Imm32(asm.R1, int32(k), next))
		value := e.img.maps[m].values[k]
		for _, f := range placed.funcs {
			e.load(asm.R1, e.img.fd(m.table.programs[f.program].fd), asm.Word)
			e.store(value+int(f.offset), asm.R1, asm.DWord)
		}
		e.pointer(e.img.elem+mapElemValue, value)
		e.add(asm.Ja.Label(filled))
		e.label(next)
	}
	e.label(filled)
	e.copyFD(e.img.elem+mapElemFD, m.fd)
	e.pointer(e.img.elem+mapElemKey, offLatch+4)
	e.bpf(bpfabi.CommandMapUpdateElem, e.img.elem, mapElemLen)
	e.must()
}

// attachStructOps makes the kernel use map i, until its link is closed.
func (e *emitter) attachStructOps(i int, m *mapPlan) {
	if m.ops == nil {
		return
	}
	e.breakpoint()
	e.stage(loadctx.StageMapLink, i)
	a := e.img.maps[m].link
	e.copyFD(a+linkCreateProg, m.fd) // a map's in the same place
	e.bpf(bpfabi.CommandLinkCreate, a, linkCreateLen)
	e.must()
	e.store(e.img.fd(m.linkFD), asm.R0, asm.Word)
}
