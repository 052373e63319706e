//go:build linux

package kernelload

import (
	"encoding/binary"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// maxContext is the kernel's limit (net/bpf/test_run.c,
// bpf_prog_test_run_syscall).
const maxContext = 65535

// newContext makes a context in which every slot is -1 but the inputs, with the
// values of the tunables at its end.
func newContext(s *Settings, token int) ([]byte, error) {
	if s.ContextSize > maxContext || s.ContextSize%8 != 0 || len(s.Tunables)%8 != 0 || uint64(s.ContextSize) < uint64(loadctx.OffSlots)+uint64(len(s.Tunables)) {
		return nil, fmt.Errorf("a context of %d bytes, %d of them for variables", s.ContextSize, len(s.Tunables))
	}
	ctx := make([]byte, s.ContextSize)
	slots := s.slots()
	for i := range slots {
		setSlot(ctx, i, -1)
	}
	for i, value := range s.Inputs {
		if i < 0 || i >= slots {
			return nil, fmt.Errorf("input slot %d of %d", i, slots)
		}
		setSlot(ctx, i, value)
	}
	copy(ctx[loadctx.SlotOffset(slots):], s.Tunables)
	if token > 0 {
		binary.NativeEndian.PutUint32(ctx[loadctx.OffToken:], uint32(token))
	}
	return ctx, nil
}

// logLevel asks for the states that lead to a refusal.
const logLevel = 1

// setLog asks one command for its log: the loader program gives the buffer to
// the command whose stage and index stand in the context when it starts. The
// buffer must not be memory that the Go runtime may move.
func setLog(ctx []byte, p Position, addr uintptr, size int) {
	binary.NativeEndian.PutUint32(ctx[loadctx.OffStage:], uint32(p.Stage))
	binary.NativeEndian.PutUint32(ctx[loadctx.OffIndex:], p.Index)
	binary.NativeEndian.PutUint32(ctx[loadctx.OffLogLevel:], logLevel)
	binary.NativeEndian.PutUint32(ctx[loadctx.OffLogSize:], uint32(size))
	binary.NativeEndian.PutUint64(ctx[loadctx.OffLogBuf:], uint64(addr))
}

// position is what the loader program did last, and to which map, program or
// symbol.
func position(ctx []byte) (loadctx.Stage, uint32) {
	return loadctx.Stage(binary.NativeEndian.Uint32(ctx[loadctx.OffStage:])), binary.NativeEndian.Uint32(ctx[loadctx.OffIndex:])
}

func (s *Settings) slots() int { return (int(s.ContextSize) - len(s.Tunables) - loadctx.OffSlots) / 4 }

func slot(ctx []byte, i int) int32 {
	return int32(binary.NativeEndian.Uint32(ctx[loadctx.SlotOffset(i):]))
}

func setSlot(ctx []byte, i int, value int32) {
	binary.NativeEndian.PutUint32(ctx[loadctx.SlotOffset(i):], uint32(value))
}
