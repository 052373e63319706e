package skeleton

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// resolveSymbol looks kernel symbol i up and patches the instructions that use
// it. As they stand in the metadata they say "absent", which is what a weak
// symbol that is not found leaves.
func (e *emitter) resolveSymbol(i int, s *symbolPlan) {
	e.breakpoint()
	e.stage(loadctx.StageSymbol, i)
	done := fmt.Sprintf("symbol.%d", i)
	e.address(asm.R1, e.img.syms[i])
	e.add(asm.Mov.Imm(asm.R2, int32(len(s.name)+1)))
	if s.kind == "address" {
		e.add(asm.Mov.Imm(asm.R3, 0), asm.Mov.Reg(asm.R4, asm.RFP), asm.Add.Imm(asm.R4, -8))
		e.call(helperLookupSymbol)
	} else {
		kind := int32(kindVar)
		if s.kind == "kfunc" {
			kind = kindFunc
		}
		e.add(asm.Mov.Imm(asm.R3, kind), asm.Mov.Imm(asm.R4, 0))
		e.call(helperFindBTF)
	}
	if s.weak {
		e.add(asm.JEq.Imm(asm.R0, -errNoEntry, done))
	}
	e.must()
	if s.kind == "address" {
		e.patchAddress(s)
	} else {
		e.patchType(i, s)
	}
	e.label(done)
}

// patchAddress writes an address into 64-bit loads.
func (e *emitter) patchAddress(s *symbolPlan) {
	e.add(
		asm.LoadMem(regErr, asm.RFP, -8, asm.DWord),
		asm.Mov.Reg(asm.R2, regErr),
		asm.RSh.Imm(asm.R2, 32),
	)
	for _, u := range s.uses {
		e.breakpoint()
		at := e.img.prog[u.prog].insns + u.off
		e.store(at+4, regErr, asm.Word)
		e.store(at+12, asm.R2, asm.Word)
	}
}

// patchType writes a type's number, and the module's BTF that has it, into
// calls and 64-bit loads. R0 holds both.
func (e *emitter) patchType(i int, s *symbolPlan) {
	vmlinux := fmt.Sprintf("symbol.%d.vmlinux", i)
	e.add(
		asm.Mov.Reg(regErr, asm.R0),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.RSh.Imm(asm.R2, 32),
		asm.JEq.Imm(asm.R2, 0, vmlinux),
	)
	e.store(e.img.fd(s.fd), asm.R2, asm.Word)
	e.add(asm.Mov.Imm(asm.R3, int32(s.fd)))
	for _, u := range s.uses {
		if u.call {
			e.store(e.img.prog[u.prog].insns+u.off+2, asm.R3, asm.Half)
		}
	}
	e.label(vmlinux)
	for _, u := range s.uses {
		e.breakpoint()
		at := e.img.prog[u.prog].insns + u.off
		e.store(at+4, regErr, asm.Word)
		if !u.call {
			regs := u.prog.insns[u.off+1]&0x0f | pseudoBTFID<<4
			e.add(asm.Mov.Imm(asm.R3, int32(regs)))
			e.store(at+1, asm.R3, asm.Byte)
			e.store(at+12, asm.R2, asm.Word)
		}
	}
}

// succeed closes what was only needed on the way and hands the rest to the
// caller.
func (e *emitter) succeed(p *plan) {
	for _, fd := range p.tempFDs {
		e.breakpoint()
		e.close(fd)
	}
	e.returnKept(p, "succeed")
	give := func(fd, slot int) {
		e.breakpoint()
		e.load(asm.R1, e.img.fd(fd), asm.Word)
		e.add(asm.StoreMem(regCtx, contextSlot(slot), asm.R1, asm.Word))
	}
	for _, m := range p.maps {
		give(m.fd, m.slot)
		if m.ops != nil {
			give(m.linkFD, m.link)
		}
	}
	for _, prog := range p.progs {
		give(prog.fd, prog.slot)
		if prog.link >= 0 {
			give(prog.linkFD, prog.link)
		}
	}
	// Storing to the context's last byte makes the kernel refuse a shorter one.
	e.add(
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(regCtx, loadctx.OffIndex, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R1, int32(loadctx.StageDone)),
		asm.StoreMem(regCtx, loadctx.OffStage, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	)
}

// close closes an entry of the table, if it is open.
func (e *emitter) close(fd int) {
	e.load(asm.R1, e.img.fd(fd), asm.Word)
	skip := asm.JSLT.Imm32(asm.R1, 0, "")
	skip.Offset = 1
	e.add(skip)
	e.call(helperSysClose)
}

// closeNow is close for an entry that is used again.
func (e *emitter) closeNow(fd int) {
	e.close(fd)
	e.add(asm.Mov.Imm(asm.R1, -1))
	e.store(e.img.fd(fd), asm.R1, asm.Word)
}

// failures is where errors end: "fail" closes everything that was opened,
// "reject" is for errors before anything was, when the table cannot be
// trusted or is another run's. The last instruction closes the program.
func (e *emitter) failures(p *plan) {
	e.breakpoint()
	if e.far["fail"] {
		e.label(fmt.Sprintf("fail.%d", e.island))
		delete(e.far, "fail")
		e.returnKept(p, "fail")
		// Links first: nothing is to run while the rest goes.
		for i := p.fds - 1; i >= firstMapFD; i-- {
			e.breakpoint()
			e.close(i)
		}
	}
	e.label(fmt.Sprintf("reject.%d", e.island))
	e.add(
		asm.Mov.Reg(asm.R1, regStage),
		asm.RSh.Imm(asm.R1, 16),
		asm.StoreMem(regCtx, loadctx.OffStage, asm.R1, asm.Word),
		asm.And.Imm(regStage, 0xffff),
		asm.StoreMem(regCtx, loadctx.OffIndex, regStage, asm.Word),
		asm.Mov.Reg(asm.R0, regErr),
		asm.Return(),
	)
	e.label(fmt.Sprintf("last.%d", e.island))
	e.add(asm.Ja.Label(fmt.Sprintf("start.%d", e.island)))
}
