//go:build linux

package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// state is what the kernel keeps of a program and tells nobody: an iterator
// over programs reads it out of struct bpf_prog.
type state struct {
	expectedAttach uint32
	sleepable      bool
	fragments      bool // XDP programs that take packets of several buffers
}

// field is a member of a kernel structure: the bytes that hold it.
type field struct {
	offset, size uint32 // in bytes
	shift, bits  uint32 // of a bit field
}

// fieldOf finds a member by name, also in unnamed members.
func fieldOf(t btf.Type, name string, base btf.Bits) (field, bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		at := base + m.Offset
		if m.Name == "" {
			if f, ok := fieldOf(m.Type, name, at); ok {
				return f, true
			}
			continue
		}
		if m.Name != name {
			continue
		}
		if m.BitfieldSize > 0 {
			return field{offset: uint32(at / 8), size: 1, shift: uint32(at % 8), bits: uint32(m.BitfieldSize)}, true
		}
		size, err := btf.Sizeof(m.Type)
		return field{offset: uint32(at / 8), size: uint32(size), bits: uint32(size) * 8}, err == nil
	}
	return field{}, false
}

// load copies a field to where dst is from the structure in src.
func (f field) load(dst, src asm.Register) asm.Instructions {
	size := map[uint32]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word, 8: asm.DWord}[f.size]
	insns := asm.Instructions{asm.LoadMem(dst, src, int16(f.offset), size)}
	if f.bits < f.size*8 {
		insns = append(insns, asm.RSh.Imm(dst, int32(f.shift)), asm.And.Imm(dst, int32(1)<<f.bits-1))
	}
	return insns
}

// recordSize is of what the iterator writes for each program: id, attach type,
// whether it may sleep, whether it takes fragments, as u32.
const recordSize = 16

// SeesStates says whether this kernel lets an iterator look at programs.
func SeesStates() error {
	_, err := states()
	return err
}

// states reads the state of every program in the kernel, by id.
func states() (found map[uint32]state, err error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("read the kernel's types: %w", err)
	}
	insns, err := iterator(kernel)
	if err != nil {
		return nil, err
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "identity", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "bpf_prog",
		Instructions: insns, License: "GPL",
	})
	if err != nil {
		return nil, fmt.Errorf("load the iterator over programs: %w", err)
	}
	defer func() { err = errors.Join(err, prog.Close()) }()
	iter, err := link.AttachIter(link.IterOptions{Program: prog})
	if err != nil {
		return nil, fmt.Errorf("attach the iterator over programs: %w", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	records, err := iter.Open()
	if err != nil {
		return nil, fmt.Errorf("open the iterator over programs: %w", err)
	}
	defer func() { err = errors.Join(err, records.Close()) }()
	raw, err := io.ReadAll(records)
	if err != nil {
		return nil, fmt.Errorf("read the iterator over programs: %w", err)
	}
	if len(raw)%recordSize != 0 {
		return nil, fmt.Errorf("the iterator over programs gave %d bytes", len(raw))
	}
	found = make(map[uint32]state)
	for ; len(raw) > 0; raw = raw[recordSize:] {
		word := func(at int) uint32 { return binary.NativeEndian.Uint32(raw[at:]) }
		found[word(0)] = state{expectedAttach: word(4), sleepable: word(8) != 0, fragments: word(12) != 0}
	}
	return found, nil
}

// iterator is the program: it writes a record of the fields that this kernel
// has where it has them.
func iterator(kernel *btf.Spec) (asm.Instructions, error) {
	var prog, aux *btf.Struct
	if err := errors.Join(kernel.TypeByName("bpf_prog", &prog), kernel.TypeByName("bpf_prog_aux", &aux)); err != nil {
		return nil, fmt.Errorf("find a program in the kernel's types: %w", err)
	}
	insns := asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, 0, asm.DWord), // struct bpf_iter_meta
		asm.LoadMem(asm.R7, asm.R1, 8, asm.DWord), // struct bpf_prog
		asm.JEq.Imm(asm.R7, 0, "done"),
	}
	auxField, ok := fieldOf(prog, "aux", 0)
	if !ok {
		return nil, errors.New("struct bpf_prog has no member aux")
	}
	insns = append(insns, auxField.load(asm.R8, asm.R7)...)
	var missing []string
	for i, name := range []string{"id", "expected_attach_type", "sleepable", "xdp_has_frags"} {
		from := asm.R7
		f, ok := fieldOf(prog, name, 0)
		if !ok || name == "id" {
			from = asm.R8
			f, ok = fieldOf(aux, name, 0)
		}
		if !ok {
			missing = append(missing, name)
		}
		insns = append(insns, f.load(asm.R1, from)...)
		insns = append(insns, asm.StoreMem(asm.RFP, int16(4*i-recordSize), asm.R1, asm.Word))
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("struct bpf_prog has no member %s", strings.Join(missing, ", "))
	}
	return append(insns,
		asm.LoadMem(asm.R1, asm.R6, 0, asm.DWord), // struct seq_file
		asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -recordSize), asm.Mov.Imm(asm.R3, recordSize),
		asm.FnSeqWrite.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("done"),
		asm.Return(),
	), nil
}
