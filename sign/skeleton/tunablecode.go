package skeleton

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// setTunables takes the values of tunables from the context and puts those that
// are allowed into the metadata, before anything is created with it. Each is
// read once. A value that is not allowed ends the loader program.
func (e *emitter) setTunables(p *plan) {
	for i, t := range p.tunables {
		e.breakpoint()
		e.stage(loadctx.StageTunable, i)
		e.add(asm.Mov.Imm(regErr, -errRange))
		ok := fmt.Sprintf("tunable.%d", i)
		to := e.img.maps[t.in].attr + mapCreateMaxEntries
		if !t.IsSize() {
			to = e.img.maps[t.in].data + int(t.Offset)
		}
		switch {
		case t.Kind == manifest.TunableString && len(t.Choices) == 0:
			e.text(t, to, ok)
			continue
		case t.Kind == manifest.TunableString:
			e.oneOfTexts(t, ok)
			e.label(ok)
			e.address(asm.R4, to)
			for off := range int(t.Size) {
				e.add(asm.LoadMem(asm.R1, regCtx, int16(t.Context)+int16(off), asm.Byte), asm.StoreMem(asm.R4, int16(off), asm.R1, asm.Byte))
			}
			continue
		}
		e.add(asm.LoadMem(asm.R1, regCtx, int16(t.Context), asm.DWord))
		if t.Kind != manifest.TunableBool && len(t.Choices) > 0 {
			e.oneOf(t, ok)
		} else {
			e.within(t)
		}
		e.label(ok)
		e.store(to, asm.R1, width(t.Size))
	}
}

// within refuses what is outside a range. R1 has the value with all its 64 bits:
// what does not fit the variable is outside as well. Limits are compared in
// registers, because an immediate is one of 32 bits with a sign.
func (e *emitter) within(t *tunablePlan) {
	low, high := uint64(0), uint64(1)
	below, above := asm.JLT, asm.JGT
	lowest, highest := uint64(0), uint64(math.MaxUint64)
	switch t.Kind {
	case manifest.TunableUnsigned:
		low, _ = manifest.ParseInteger(t.Minimum, false)
		high, _ = manifest.ParseInteger(t.Maximum, false)
	case manifest.TunableSigned:
		low, _ = manifest.ParseInteger(t.Minimum, true)
		high, _ = manifest.ParseInteger(t.Maximum, true)
		below, above = asm.JSLT, asm.JSGT
		lowest, highest = 1<<63, math.MaxInt64
	}
	if low != lowest {
		e.add(asm.LoadImm(asm.R2, int64(low), asm.DWord), below.Reg(asm.R1, asm.R2, e.farLabel("reject")))
	}
	if high != highest {
		e.add(asm.LoadImm(asm.R2, int64(high), asm.DWord), above.Reg(asm.R1, asm.R2, e.farLabel("reject")))
	}
}

// oneOf refuses what is none of the numbers.
func (e *emitter) oneOf(t *tunablePlan, ok string) {
	for _, c := range t.Choices {
		text, signed := c.Name, t.Kind == manifest.TunableSigned
		if t.Kind == manifest.TunableEnum {
			text, signed = c.Value, strings.HasPrefix(c.Value, "-")
		}
		n, _ := manifest.ParseInteger(text, signed)
		e.add(asm.LoadImm(asm.R2, int64(n), asm.DWord), asm.JEq.Reg(asm.R1, asm.R2, ok))
	}
	e.add(asm.Ja.Label(e.farLabel("reject")))
}

// text takes over a text of any kind: bytes up to a NUL, and nothing but NULs
// behind it, within the variable.
func (e *emitter) text(t *tunablePlan, to int, ok string) {
	reject := e.farLabel("reject")
	size := int(t.Size)
	at := func(off int) int16 { return int16(t.Context) + int16(off) }
	padding := func(off int) string {
		if off == size {
			return ok
		}
		return fmt.Sprintf("%s.%d", ok, off)
	}
	e.address(asm.R4, to)
	for off := range size {
		e.add(
			asm.LoadMem(asm.R1, regCtx, at(off), asm.Byte),
			asm.StoreMem(asm.R4, int16(off), asm.R1, asm.Byte),
			asm.JEq.Imm(asm.R1, 0, padding(off+1)),
		)
	}
	e.add(asm.Ja.Label(reject))
	for off := 1; off < size; off++ {
		e.label(padding(off))
		e.add(
			asm.LoadMem(asm.R1, regCtx, at(off), asm.Byte),
			asm.JNE.Imm(asm.R1, 0, reject),
			asm.StoreMem(asm.R4, int16(off), asm.R1, asm.Byte),
		)
	}
	e.label(ok)
}

// oneOfTexts refuses what is none of the texts, with NULs up to the end of the
// variable.
func (e *emitter) oneOfTexts(t *tunablePlan, ok string) {
	for i, c := range t.Choices {
		want := append([]byte(c.Name), make([]byte, int(t.Room())-len(c.Name))...)
		next := fmt.Sprintf("%s.%d", ok, i)
		for off := 0; off < len(want); off += 8 {
			e.add(
				asm.LoadMem(asm.R1, regCtx, int16(t.Context)+int16(off), asm.DWord),
				asm.LoadImm(asm.R2, int64(binary.LittleEndian.Uint64(want[off:])), asm.DWord),
				asm.JNE.Reg(asm.R1, asm.R2, next),
			)
		}
		e.add(asm.Ja.Label(ok))
		e.label(next)
	}
	e.add(asm.Ja.Label(e.farLabel("reject")))
}

// width is the size of a store.
func width(size uint32) asm.Size {
	switch size {
	case 1:
		return asm.Byte
	case 2:
		return asm.Half
	case 4:
		return asm.Word
	default:
		return asm.DWord
	}
}
