package skeleton

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// emitLoader generates the loader program of one profile. Profiles differ in
// the check at the start and in nothing else.
//
// The first instruction jumps to the last and the last one back: no prefix of
// the program is one, because its first jump leads out of it.
func emitLoader(p *plan, img *image, profile bpfabi.Profile) ([]byte, error) {
	e := &emitter{img: img, labels: make(map[string]int), far: map[string]bool{"last": true}}
	e.add(asm.Ja.Label("last.0"))
	e.label("start.0")
	e.add(asm.Mov.Reg(regCtx, asm.R1))
	e.metadata(profile)
	e.latch()
	e.checkInputs(p)
	e.setTunables(p)
	e.fillAttributes(p)
	e.loadTypes(p)
	for _, t := range p.tables {
		e.chooseLayout(p, t)
	}
	for i, m := range p.maps {
		e.createMap(i, m)
	}
	for i, s := range p.symbols {
		e.resolveSymbol(i, s)
	}
	for i, prog := range p.progs {
		e.loadProgram(p, i, prog)
	}
	for i, m := range p.maps {
		e.fillProgArray(p, i, m)
		e.fillStructOps(i, m)
	}
	for i, prog := range p.progs {
		e.attach(i, prog)
	}
	for i, m := range p.maps {
		e.attachStructOps(i, m)
	}
	e.succeed(p)
	e.failures(p)
	if err := e.resolve(); err != nil {
		return nil, err
	}
	if n := len(e.code) / 8; n > 1_000_000 {
		return nil, &UnsupportedError{Name: "object", Why: fmt.Sprintf("its loader program has %d instructions: more than 1000000", n)}
	}
	return e.code, img.check(e.code)
}

// metadata checks the map and finds its value. The program refers to the map
// once and takes every address from that one reference: kernels before 7.3
// read the caller's fd_array again for each, so that a caller who swaps the
// descriptor in between would have one map checked and another one used.
func (e *emitter) metadata(profile bpfabi.Profile) {
	e.stage(loadctx.StageSelfCheck, 0)
	e.add(
		asm.Mov.Imm(regErr, -errKeyRejected),
		// What helpers read from and write to the stack is initialized by
		// stores: reading kernel memory to do it is refused under lockdown.
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.RFP, -8, asm.R1, asm.DWord),
		asm.Instruction{OpCode: asm.LoadImmOp(asm.DWord), Dst: asm.R1, Src: pseudoMapIdx},
	)
	e.selfCheck(profile)
	e.add(asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -8))
	e.call(helperLookupElem)
	e.add(asm.JEq.Imm(asm.R0, 0, e.farLabel("reject")), asm.Mov.Reg(regMeta, asm.R0))
	// The signature of the bound profile covers the values of all maps in a
	// row, wherever one ends: reading the last bytes makes the verifier refuse
	// a first map that has not all of them, whose blobs would go on in memory
	// that nobody signed. A digest covers all entries of a map: there it
	// refuses one that has the same bytes in several.
	e.load(asm.R1, len(e.img.buf)-8, asm.DWord)
}

// selfCheck compares the digest of the metadata map, which the kernel
// calculated when it was asked for it, with the one that was signed. The bound
// profile needs none of it: there the signature covers the map.
//
// struct bpf_map begins with the digest (32 bytes) on the kernels that have
// these profiles; at offset 32 it has excl (u32) or, before that existed, the
// pointer ops. Reading the right one makes the other kernel's verifier refuse
// the program, so that neither profile runs where the other belongs.
//
// R1 holds the map, before and after.
func (e *emitter) selfCheck(profile bpfabi.Profile) {
	if profile == bpfabi.Bound {
		return
	}
	sum := sha256.Sum256(e.img.buf)
	for i := 0; i < len(sum); i += 8 {
		e.add(
			asm.LoadMem(asm.R2, asm.R1, int16(i), asm.DWord),
			asm.LoadImm(asm.R3, int64(binary.LittleEndian.Uint64(sum[i:])), asm.DWord),
			asm.JNE.Reg(asm.R2, asm.R3, e.farLabel("reject")),
		)
	}
	if profile == bpfabi.SelfcheckExcl {
		e.add(asm.LoadMem(asm.R2, asm.R1, 32, asm.Word), asm.JNE.Imm(asm.R2, 1, e.farLabel("reject")))
	} else {
		e.add(asm.LoadMem(asm.R2, asm.R1, 32, asm.DWord))
	}
}

// latch lets one run pass. A second one would work on metadata that the first
// has changed and that nothing checks again.
func (e *emitter) latch() {
	e.stage(loadctx.StageLatch, 0)
	e.add(
		asm.Mov.Imm(regErr, -errAlready),
		asm.Mov.Imm(asm.R1, 1),
		asm.Xchg.Mem(regMeta, asm.R1, asm.DWord, offLatch),
		asm.JNE.Imm(asm.R1, 0, e.farLabel("reject")),
	)
}

// checkInputs refuses attach targets that are neither absent nor possible
// before anything is created.
func (e *emitter) checkInputs(p *plan) {
	for i, prog := range p.progs {
		if prog.input < 0 {
			continue
		}
		e.breakpoint()
		e.stage(loadctx.StageInput, i)
		reject := e.farLabel("reject")
		lowest := int32(0) // a file descriptor
		if prog.target.input == "ifindex" {
			lowest = 1
		}
		done := fmt.Sprintf("input.%d", i)
		e.add(
			asm.Mov.Imm(regErr, -errInvalid),
			asm.LoadMem(asm.R1, regCtx, contextSlot(prog.input), asm.Word),
			asm.JEq.Imm32(asm.R1, -1, done),
			asm.JSLT.Imm32(asm.R1, lowest, reject),
		)
		if prog.target.direction {
			e.add(
				asm.LoadMem(asm.R1, regCtx, contextSlot(prog.input+1), asm.Word),
				asm.JLT.Imm32(asm.R1, int32(bpfabi.AttachTCXIngress), reject),
				asm.JGT.Imm32(asm.R1, int32(bpfabi.AttachTCXEgress), reject),
			)
		}
		if prog.target.replaces {
			e.add(
				asm.LoadMem(asm.R1, regCtx, contextSlot(prog.input+1), asm.Word),
				asm.JSLT.Imm32(asm.R1, 1, reject), // the number of a type
			)
		}
		e.label(done)
	}
}

// fillAttributes completes what does not depend on earlier commands: pointers,
// log settings and the token.
func (e *emitter) fillAttributes(p *plan) {
	img := e.img
	if p.obj.btf != nil {
		e.pointer(img.btf+btfLoadData, img.btfData)
		e.logSettings(loadctx.StageBTF, 0, img.btf+btfLoadLogLevel, img.btf+btfLoadLogSize, img.btf+btfLoadLogBuf)
	}
	for i, prog := range p.progs {
		e.breakpoint()
		a := img.prog[prog]
		e.pointer(a.attr+progLoadInsns, a.insns)
		e.pointer(a.attr+progLoadLicense, a.license)
		e.pointer(a.attr+progLoadFDArray, img.fds)
		if p.obj.btf != nil && len(prog.funcs) > 0 {
			e.pointer(a.attr+progLoadFuncs, a.funcs)
			if len(prog.lines) > 0 {
				e.pointer(a.attr+progLoadLines, a.lines)
			}
			if len(prog.relos) > 0 {
				e.pointer(a.attr+progLoadRelos, a.relo)
			}
		}
		e.logSettings(loadctx.StageProgram, i, a.attr+progLoadLogLevel, a.attr+progLoadLogSize, a.attr+progLoadLogBuf)
	}
	e.breakpoint()
	e.add(
		asm.LoadMem(regErr, regCtx, loadctx.OffToken, asm.Word),
		asm.JSGT.Imm32(regErr, 0, "token"),
		asm.Ja.Label("attributes"),
	)
	e.label("token")
	e.setToken(p)
	e.label("attributes")
}

// logSettings copies the context's log settings into the attributes of the
// command that they are for. One buffer serves one command: a later one would
// write over the log that was asked for.
func (e *emitter) logSettings(stage loadctx.Stage, index, level, size, buf int) {
	skip := fmt.Sprintf("log.%d.%d", stage, index)
	e.add(
		asm.LoadMem(asm.R1, regCtx, loadctx.OffStage, asm.Word),
		asm.JNE.Imm32(asm.R1, int32(stage), skip),
		asm.LoadMem(asm.R1, regCtx, loadctx.OffIndex, asm.Word),
		asm.JNE.Imm32(asm.R1, int32(index), skip),
		asm.LoadMem(asm.R1, regCtx, loadctx.OffLogLevel, asm.Word),
	)
	e.store(level, asm.R1, asm.Word)
	e.add(asm.LoadMem(asm.R1, regCtx, loadctx.OffLogSize, asm.Word))
	e.store(size, asm.R1, asm.Word)
	e.add(asm.LoadMem(asm.R1, regCtx, loadctx.OffLogBuf, asm.DWord))
	e.store(buf, asm.R1, asm.DWord)
	e.label(skip)
}
