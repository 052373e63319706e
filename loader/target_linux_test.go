package loader

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// kernelTypes makes BTF of types without bodies, and parses it.
func kernelTypes(t *testing.T, named ...any) *kernelbtf.Types {
	t.Helper()
	var types []byte
	names := []byte{0}
	for i := 0; i < len(named); i += 2 {
		types = binary.NativeEndian.AppendUint32(types, uint32(len(names)))
		types = binary.NativeEndian.AppendUint32(types, uint32(named[i].(int))<<24)
		types = binary.NativeEndian.AppendUint32(types, 0)
		names = append(append(names, named[i+1].(string)...), 0)
	}
	header := binary.NativeEndian.AppendUint16(nil, 0xeb9f)
	header = append(header, 1, 0)
	for _, n := range []int{24, 0, len(types), len(types), len(names)} {
		header = binary.NativeEndian.AppendUint32(header, uint32(n))
	}
	parsed, err := kernelbtf.Parse(append(append(header, types...), names...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// vmlinuxID is the id of the running kernel's own BTF.
func vmlinuxID(t *testing.T) uint32 {
	t.Helper()
	needBPF(t)
	for id := uint32(1); id < 1000; id++ {
		fd, err := bpfsys.OpenBTF(id)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := bpfsys.GetBTFInfo(fd)
		fd.Close()
		if err != nil {
			t.Fatal(err)
		}
		if info.Kernel && info.Name == "vmlinux" {
			return id
		}
	}
	t.Skip("this kernel shows no types")
	return 0
}

// A14: the target that the kernel tells is the one that was signed: its name,
// and that it is a hook, a tracepoint or a function.
func TestAttachTargetsAreComparedByName(t *testing.T) {
	vmlinux := vmlinuxID(t)
	targets := &targetTypes{vmlinux: &typesFile{Types: kernelTypes(t,
		kernelbtf.KindFunc, "bpf_lsm_file_open", // 1
		kernelbtf.KindTypedef, "btf_trace_sched_switch", // 2
		kernelbtf.KindFunc, "vfs_read", // 3
		kernelbtf.KindFunc, "bpf_iter_task", // 4
		kernelbtf.KindTypedef, "vfs_read", // 5
		kernelbtf.KindFunc, "file_open", // 6
	)}}
	program := func(typ, attachType, target string) *manifest.Program {
		return &manifest.Program{Name: "p", Type: typ, AttachType: attachType, AttachTarget: target}
	}
	for _, c := range []struct {
		p  *manifest.Program
		id uint32
		ok bool
	}{
		{program("lsm", "lsm_mac", "file_open"), 1, true},
		{program("lsm", "lsm_mac", "file_open"), 6, false},
		{program("lsm", "lsm_mac", "file_permission"), 1, false},
		{program("lsm", "lsm_mac", "file_open"), 0, false},
		{program("lsm", "lsm_mac", "file_open"), 7, false},
		{program("tracing", "trace_raw_tp", "sched_switch"), 2, true},
		{program("tracing", "trace_raw_tp", "sched_switch"), 1, false},
		{program("tracing", "trace_fentry", "vfs_read"), 3, true},
		{program("tracing", "trace_fentry", "vfs_read"), 5, false},
		{program("tracing", "modify_return", "file_open"), 1, false},
		{program("tracing", "trace_iter", "task"), 4, true},
		{program("tracing", "trace_iter", "tas"), 4, false},
		{program("xdp", "xdp", ""), 0, true},
		{program("xdp", "xdp", ""), 1, false},
	} {
		object := vmlinux
		if c.id == 0 {
			object = 0
		}
		if err := targets.check(c.p, object, c.id); (err == nil) != c.ok {
			t.Errorf("%s %s %q, type %d: %v", c.p.Type, c.p.AttachType, c.p.AttachTarget, c.id, err)
		}
	}
	// A target that names where it is has to be there.
	for target, ok := range map[string]bool{"vmlinux:vfs_read": true, "some_module:vfs_read": false, "vmlinux:vfs_write": false} {
		if err := targets.check(program("tracing", "trace_fentry", target), vmlinux, 3); (err == nil) != ok {
			t.Errorf("%q: %v", target, err)
		}
	}
	p := program("lsm", "lsm_mac", "file_open")
	if targets.check(p, 1<<30, 1) == nil {
		t.Error("a BTF object that is not there was taken for the kernel's")
	}
	// Only who is not told a program's target may go without.
	hidden := &bpfsys.ProgramInfo{}
	if targets.checkProgram(p, hidden) == nil {
		t.Error("a program without a target was taken")
	}
	targets.hidden = true
	if err := targets.checkProgram(p, hidden); err != nil {
		t.Error(err)
	}
	if targets.checkProgram(p, &bpfsys.ProgramInfo{AttachBTFObjID: vmlinux, AttachBTFID: 6}) == nil {
		t.Error("a wrong target was taken because it could have been hidden")
	}
}
