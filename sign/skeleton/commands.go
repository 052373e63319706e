package skeleton

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// setToken makes every nested command that takes a token use the one in regErr.
func (e *emitter) setToken(p *plan) {
	set := func(token, flags int, old uint32) {
		e.store(token, regErr, asm.Word)
		e.add(asm.Mov.Imm(asm.R1, int32(old|bpfabi.FlagToken)))
		e.store(flags, asm.R1, asm.Word)
	}
	if p.obj.btf != nil {
		set(e.img.btf+btfLoadToken, e.img.btf+btfLoadFlags, 0)
	}
	for _, m := range p.maps {
		a := e.img.maps[m].attr
		set(a+mapCreateToken, a+mapCreateFlags, m.flags)
		if m.inner != nil {
			a := e.img.maps[m.inner].attr
			set(a+mapCreateToken, a+mapCreateFlags, m.inner.flags)
		}
	}
	for _, t := range p.tables {
		for _, probe := range e.img.tables[t].probes {
			set(probe.btf+btfLoadToken, probe.btf+btfLoadFlags, 0)
			set(probe.attr+progLoadToken, probe.attr+progLoadFlags, bpfabi.ProgramFlagSleepable)
		}
	}
	for _, prog := range p.progs {
		a := e.img.prog[prog].attr
		set(a+progLoadToken, a+progLoadFlags, prog.spec.Flags)
	}
}

// loadTypes loads the object's BTF.
func (e *emitter) loadTypes(p *plan) {
	if p.obj.btf == nil {
		return
	}
	e.stage(loadctx.StageBTF, 0)
	e.bpf(bpfabi.CommandBTFLoad, e.img.btf, btfLoadLen)
	e.must()
	e.store(e.img.fd(p.btfFD), asm.R0, asm.Word)
	for _, m := range p.maps {
		// The value of a struct_ops map is the kernel's type, and yet the kernel
		// wants the object's types (kernel/bpf/syscall.c, map_create).
		if m.btfValue != 0 || m.ops != nil {
			e.copyFD(e.img.maps[m].attr+mapCreateBTF, p.btfFD)
		}
		if m.inner != nil && m.inner.btfValue != 0 {
			e.copyFD(e.img.maps[m.inner].attr+mapCreateBTF, p.btfFD)
		}
	}
	for _, prog := range p.progs {
		if len(prog.funcs) > 0 {
			e.copyFD(e.img.prog[prog].attr+progLoadBTF, p.btfFD)
		}
	}
}

// createMap creates map i, gives it its initial values and freezes it.
func (e *emitter) createMap(i int, m *mapPlan) {
	e.breakpoint()
	e.stage(loadctx.StageMap, i)
	img := e.img.maps[m]
	done := fmt.Sprintf("map.%d.done", i)
	if m.keep {
		e.takeKept(m, done)
		defer e.label(done)
	}
	if m.inner != nil {
		e.mapCreate(fmt.Sprintf("inner.%d", i), m.inner)
		e.copyFD(img.attr+mapCreateInner, m.inner.fd)
	}
	if m.perCPU {
		e.add(
			asm.Mov.Imm(regErr, -errInvalid),
			asm.LoadMem(asm.R1, regCtx, contextSlot(m.slot+1), asm.Word),
			asm.JLT.Imm32(asm.R1, 1, e.farLabel("fail")),
			asm.JGT.Imm32(asm.R1, maxCPUs, e.farLabel("fail")),
		)
		e.store(img.attr+mapCreateMaxEntries, asm.R1, asm.Word)
	}
	e.mapCreate(fmt.Sprintf("map.%d", i), m)
	if m.data != nil || m.inner != nil && len(m.entries) > 0 {
		e.stage(loadctx.StageMapInit, i)
		e.copyFD(e.img.elem+mapElemFD, m.fd)
	}
	if m.data != nil {
		// The key is the latch's upper half: zero, as long as the loader runs.
		e.pointer(e.img.elem+mapElemKey, offLatch+4)
		e.pointer(e.img.elem+mapElemValue, img.data)
		e.bpf(bpfabi.CommandMapUpdateElem, e.img.elem, mapElemLen)
		e.must()
	}
	if m.inner != nil {
		for j, entry := range m.entries {
			e.breakpoint()
			e.pointer(e.img.elem+mapElemKey, img.keys[j])
			e.pointer(e.img.elem+mapElemValue, e.img.fd(e.mapFD(entry.ref)))
			e.bpf(bpfabi.CommandMapUpdateElem, e.img.elem, mapElemLen)
			e.must()
		}
	}
	if m.freeze {
		e.stage(loadctx.StageMapFreeze, i)
		e.copyFD(e.img.elem+mapElemFD, m.fd)
		e.add(asm.Mov.Imm(asm.R1, 0))
		e.store(e.img.elem+mapElemKey, asm.R1, asm.DWord)
		e.store(e.img.elem+mapElemValue, asm.R1, asm.DWord)
		e.bpf(bpfabi.CommandMapFreeze, e.img.elem, 4)
		e.must()
	}
}

// mapFD finds the table entry of a map that was planned.
func (e *emitter) mapFD(name string) int {
	for m := range e.img.maps {
		if m.name == name {
			return m.fd
		}
	}
	return 0
}

// mapCreate creates one map. Where the kernel refuses the map's types it is
// created without them, as every loader does; if that fails too, the first
// error counts.
func (e *emitter) mapCreate(label string, m *mapPlan) {
	a := e.img.maps[m].attr
	e.bpf(bpfabi.CommandMapCreate, a, mapCreateLen)
	if m.btfValue != 0 {
		e.add(asm.JSGE.Imm(asm.R0, 0, label), asm.Mov.Reg(regErr, asm.R0), asm.Mov.Imm(asm.R1, 0))
		for _, field := range []int{mapCreateBTF, mapCreateBTFKey, mapCreateBTFValue} {
			e.store(a+field, asm.R1, asm.Word)
		}
		e.bpf(bpfabi.CommandMapCreate, a, mapCreateLen)
		e.add(asm.JSLT.Imm(asm.R0, 0, e.farLabel("fail")))
		e.label(label)
	} else {
		e.must()
	}
	e.store(e.img.fd(m.fd), asm.R0, asm.Word)
}

// loadProgram loads program i. An optional one whose target is absent is
// skipped: its table entry stays -1.
func (e *emitter) loadProgram(p *plan, i int, prog *progPlan) {
	e.breakpoint()
	img := e.img.prog[prog]
	done := fmt.Sprintf("prog.%d", i)
	if prog.target.lookup != "" {
		e.stage(loadctx.StageTarget, i)
		e.address(asm.R1, img.lookup)
		e.add(
			asm.Mov.Imm(asm.R2, int32(len(prog.target.lookup)+1)),
			asm.Mov.Imm(asm.R3, int32(prog.target.lookupKind)),
			asm.Mov.Imm(asm.R4, 0),
		)
		e.call(helperFindBTF)
		if prog.optional {
			e.add(asm.JEq.Imm(asm.R0, -errNoEntry, done))
		}
		e.must()
		e.store(img.attr+progLoadTargetID, asm.R0, asm.Word)
		e.add(asm.RSh.Imm(asm.R0, 32))
		vmlinux, module := e.inModule(prog, done)
		e.add(asm.JEq.Imm(asm.R0, 0, vmlinux))
		e.store(img.attr+progLoadTargetBTF, asm.R0, asm.Word)
		e.store(e.img.fd(prog.targetFD), asm.R0, asm.Word)
		if module != "" {
			e.add(asm.Ja.Label(module))
		}
		e.label(done + ".vmlinux")
	}
	if prog.target.replaces {
		e.add(asm.LoadMem(asm.R1, regCtx, contextSlot(prog.input), asm.Word), asm.JSLT.Imm32(asm.R1, 0, done))
		e.store(img.attr+progLoadTargetBTF, asm.R1, asm.Word) // attach_prog_fd
		e.add(asm.LoadMem(asm.R1, regCtx, contextSlot(prog.input+1), asm.Word))
		e.store(img.attr+progLoadTargetID, asm.R1, asm.Word)
	}
	e.stage(loadctx.StageProgram, i)
	e.bpf(bpfabi.CommandProgLoad, img.attr, progLoadLen)
	e.must()
	e.store(e.img.fd(prog.fd), asm.R0, asm.Word)
	e.label(done)
}

// inModule says where to go on with a target in the kernel proper, and with one
// in a module ("": straight on): one that is to be elsewhere counts as absent.
// Which module has it, the loader asks when it has the program.
func (e *emitter) inModule(prog *progPlan, done string) (vmlinux, module string) {
	vmlinux = done + ".vmlinux"
	if prog.target.module == "" {
		return vmlinux, ""
	}
	absent := done
	if !prog.optional {
		absent = e.farLabel("fail")
		e.add(asm.Mov.Imm(regErr, -errNoEntry))
	}
	if prog.target.module == kernelProper {
		return vmlinux, absent
	}
	return absent, ""
}

// fillProgArray puts loaded programs into program array i.
func (e *emitter) fillProgArray(p *plan, i int, m *mapPlan) {
	if m.inner != nil {
		return
	}
	for j, entry := range m.entries {
		prog := p.prog(entry.ref)
		e.breakpoint()
		e.stage(loadctx.StageProgArray, i)
		skip := fmt.Sprintf("slot.%d.%d", i, j)
		e.load(asm.R1, e.img.fd(prog.fd), asm.Word)
		e.add(asm.JSLT.Imm32(asm.R1, 0, skip))
		e.copyFD(e.img.elem+mapElemFD, m.fd)
		e.pointer(e.img.elem+mapElemKey, e.img.maps[m].keys[j])
		e.pointer(e.img.elem+mapElemValue, e.img.fd(prog.fd))
		e.bpf(bpfabi.CommandMapUpdateElem, e.img.elem, mapElemLen)
		e.must()
		e.label(skip)
	}
}

// attach attaches program i, if it was loaded and its target is known.
func (e *emitter) attach(i int, prog *progPlan) {
	if prog.link < 0 {
		return
	}
	e.breakpoint()
	e.stage(loadctx.StageAttach, i)
	a := e.img.prog[prog].link
	skip := fmt.Sprintf("attach.%d", i)
	e.load(asm.R1, e.img.fd(prog.fd), asm.Word)
	e.add(asm.JSLT.Imm32(asm.R1, 0, skip))
	e.store(a+linkCreateProg, asm.R1, asm.Word)
	if prog.input >= 0 && !prog.target.replaces { // what that replaces, it was loaded for
		e.add(asm.LoadMem(asm.R1, regCtx, contextSlot(prog.input), asm.Word), asm.JSLT.Imm32(asm.R1, 0, skip))
		e.store(a+linkCreateTarget, asm.R1, asm.Word)
	}
	if prog.target.direction {
		e.add(asm.LoadMem(asm.R1, regCtx, contextSlot(prog.input+1), asm.Word))
		e.store(a+linkCreateType, asm.R1, asm.Word)
	}
	e.bpf(bpfabi.CommandLinkCreate, a, linkCreateLen)
	e.must()
	e.store(e.img.fd(prog.linkFD), asm.R0, asm.Word)
	e.label(skip)
}
