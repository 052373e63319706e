package skeleton

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// The loader program's registers. R0 to R5 are scratch.
const (
	regCtx   = asm.R6 // the context
	regErr   = asm.R7 // the error that ends the loader program
	regStage = asm.R8 // stage<<16 | index, for the context if it fails
	regMeta  = asm.R9 // the metadata
)

// Helpers that SYSCALL programs have.
const (
	helperLookupElem   = 1
	helperSysBPF       = 166
	helperFindBTF      = 167
	helperSysClose     = 168
	helperLookupSymbol = 179
)

// Errors of the loader program's own, as Linux numbers them on every
// architecture that has BPF tokens.
const (
	errNoEntry     = 2   // ENOENT
	errAccess      = 13  // EACCES
	errInvalid     = 22  // EINVAL
	errRange       = 34  // ERANGE
	errUnsupported = 95  // EOPNOTSUPP
	errAlready     = 114 // EALREADY
	errKeyRejected = 129 // EKEYREJECTED
)

// emitter assembles a loader program. Jumps of BPF programs reach 2^15
// instructions: in a longer program, islands of jumps carry the far ones on.
type emitter struct {
	img    *image
	code   []byte
	labels map[string]int // byte offsets
	jumps  []pendingJump
	island int             // number of the current segment
	since  int             // byte offset at which it began
	far    map[string]bool // labels behind the last segment that are jumped to
}

type pendingJump struct {
	at    int // byte offset of the jump
	label string
}

// islandEvery is the length of a segment in bytes. It leaves room for what is
// emitted between two calls of breakpoint.
const islandEvery = 8 * 12000

// add appends instructions. A jump with a reference goes to that label.
func (e *emitter) add(insns ...asm.Instruction) {
	le := binary.LittleEndian
	for _, ins := range insns {
		if ref := ins.Reference(); ref != "" {
			e.jumps = append(e.jumps, pendingJump{len(e.code), ref})
			ins.Offset = 0
		}
		imm := int32(ins.Constant)
		if ins.OpCode.IsDWordLoad() {
			imm = int32(uint32(ins.Constant))
		} else if op := ins.OpCode.AtomicOp(); op != asm.InvalidAtomic {
			imm = int32(uint32(op) >> 8)
		}
		e.code = append(e.code, byte(ins.OpCode), byte(ins.Src)<<4|byte(ins.Dst))
		e.code = le.AppendUint16(e.code, uint16(ins.Offset))
		e.code = le.AppendUint32(e.code, uint32(imm))
		if ins.OpCode.IsDWordLoad() {
			e.code = le.AppendUint32(e.code, 0)
			e.code = le.AppendUint32(e.code, uint32(uint64(ins.Constant)>>32))
		}
	}
}

// label names the next instruction.
func (e *emitter) label(name string) { e.labels[name] = len(e.code) }

// farLabel is the name under which code of this segment jumps to a label that
// comes after the last segment.
func (e *emitter) farLabel(name string) string {
	e.far[name] = true
	return fmt.Sprintf("%s.%d", name, e.island)
}

// breakpoint is called between operations: where a segment is long enough, it
// puts an island.
func (e *emitter) breakpoint() {
	if len(e.code)-e.since < islandEvery {
		return
	}
	n := e.island
	over := fmt.Sprintf("over.%d", n)
	e.add(asm.Ja.Label(over))
	for _, name := range []string{"last", "fail", "reject"} {
		if e.far[name] {
			e.label(fmt.Sprintf("%s.%d", name, n))
			e.add(asm.Ja.Label(fmt.Sprintf("%s.%d", name, n+1)))
		}
	}
	e.label(fmt.Sprintf("start.%d", n+1))
	e.add(asm.Ja.Label(fmt.Sprintf("start.%d", n)))
	e.label(over)
	e.island, e.since = n+1, len(e.code)
}

// resolve fills in the jumps.
func (e *emitter) resolve() error {
	for _, j := range e.jumps {
		to, ok := e.labels[j.label]
		if !ok {
			return fmt.Errorf("generate loader: no label %q", j.label)
		}
		delta := (to-j.at)/8 - 1
		if delta < math.MinInt16 || delta > math.MaxInt16 {
			return fmt.Errorf("generate loader: jump to %q over %d instructions", j.label, delta)
		}
		binary.LittleEndian.PutUint16(e.code[j.at+2:], uint16(int16(delta)))
	}
	return nil
}

// address loads the address of a byte of the metadata.
func (e *emitter) address(dst asm.Register, off int) {
	e.add(asm.Mov.Reg(dst, regMeta), asm.Add.Imm(dst, int32(off)))
}

// store writes a register into the metadata. It clobbers R5 far from its start.
func (e *emitter) store(off int, src asm.Register, size asm.Size) {
	if off <= math.MaxInt16 {
		e.add(asm.StoreMem(regMeta, int16(off), src, size))
		return
	}
	e.address(asm.R5, off)
	e.add(asm.StoreMem(asm.R5, 0, src, size))
}

// load reads the metadata.
func (e *emitter) load(dst asm.Register, off int, size asm.Size) {
	if off <= math.MaxInt16 {
		e.add(asm.LoadMem(dst, regMeta, int16(off), size))
		return
	}
	e.address(asm.R5, off)
	e.add(asm.LoadMem(dst, asm.R5, 0, size))
}

// pointer stores the address of one byte of the metadata at another.
func (e *emitter) pointer(field, to int) {
	e.address(asm.R1, to)
	e.store(field, asm.R1, asm.DWord)
}

// copyFD copies an entry of the table into an attribute. It clobbers R1.
func (e *emitter) copyFD(field, fd int) {
	e.load(asm.R1, e.img.fd(fd), asm.Word)
	e.store(field, asm.R1, asm.Word)
}

// stage notes what comes next.
func (e *emitter) stage(s loadctx.Stage, index int) {
	e.add(asm.Mov.Imm(regStage, int32(s)<<16|int32(index)))
}

// call calls a helper by its number.
func (e *emitter) call(helper int64) {
	e.add(asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Constant: helper})
}

// bpf issues a nested command. Its result is in R0.
func (e *emitter) bpf(cmd bpfabi.Command, attr, size int) {
	e.add(asm.Mov.Imm(asm.R1, int32(cmd)))
	e.address(asm.R2, attr)
	e.add(asm.Mov.Imm(asm.R3, int32(size)))
	e.call(helperSysBPF)
}

// must ends the loader program if R0 is an error.
func (e *emitter) must() {
	e.add(asm.Mov.Reg(regErr, asm.R0), asm.JSLT.Imm(regErr, 0, e.farLabel("fail")))
}

// contextSlot is the offset of a slot in the context.
func contextSlot(slot int) int16 { return int16(loadctx.SlotOffset(slot)) }
