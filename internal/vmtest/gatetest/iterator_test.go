//go:build vmguest

package gatetest

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// olderIterator is a program that was there before the gate: it walks the
// entries of a map and writes zeroes into each.
func olderIterator(t *testing.T) *ebpf.Program {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "older_iterator", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "bpf_map_elem", License: "GPL",
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R2, asm.R1, 24, asm.DWord), // bpf_iter__bpf_map_elem.value
			asm.JEq.Imm(asm.R2, 0, "end"),
			asm.StoreImm(asm.R2, 0, 0, asm.Word),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("end"),
			asm.Return(),
		},
	})
	must(t, err)
	// It is an attack: of a map that is frozen, by a descriptor for reading.
	m, err := bpfsys.CreateMap(bpfsys.MapSpec{Name: "any", Type: bpfabi.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	must(t, err)
	defer m.Close()
	key, value := make([]byte, 4), []byte{1, 1, 1, 1, 1, 1, 1, 1}
	must(t, bpfsys.UpdateElem(m, key, value, 0))
	must(t, bpfsys.FreezeMap(m))
	info, err := bpfsys.GetMapInfo(m)
	must(t, err)
	reading, err := bpfsys.OpenMap(info.ID)
	must(t, err)
	defer reading.Close()
	if err := walk(prog, reading.Int()); err != nil {
		t.Fatalf("an iterator over any map: %v", err)
	}
	must(t, bpfsys.LookupElem(m, key, value))
	if value[0] != 0 || value[4] != 1 {
		t.Errorf("it wrote nothing: %v", value)
	}
	return prog
}

// attackIterator has that program walk the gate's maps.
func attackIterator(t *testing.T, prog *ebpf.Program) {
	for name, id := range gateMaps(t) {
		m, err := bpfsys.OpenMap(id)
		must(t, err)
		wantRefused(t, "an iterator over "+name, walk(prog, m.Int()))
		must(t, m.Close())
	}
	wantOn(t, "iterators over its maps")
}

// walk makes an iterator over a map and reads it to its end.
func walk(prog *ebpf.Program, fd int) error {
	info := uint32(fd)
	create := new(attr)
	create.u32(0, uint32(prog.FD()))
	create.u32(8, uint32(ebpf.AttachTraceIter))
	create.u64(16, uint64(uintptr(unsafe.Pointer(&info))))
	create.u32(24, 4)
	link, err := bpf(bpfabi.CommandLinkCreate, create)
	runtime.KeepAlive(&info)
	if err != nil {
		return err
	}
	defer unix.Close(link)
	begin := new(attr)
	begin.u32(0, uint32(link))
	iterator, err := bpf(33, begin) // BPF_ITER_CREATE
	if err != nil {
		return err
	}
	defer unix.Close(iterator)
	for b := make([]byte, 4096); ; {
		if n, err := unix.Read(iterator, b); n <= 0 {
			return err
		}
	}
}
