package loader

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// createLink is BPF_LINK_CREATE as a loader program does it.
func createLink(t *testing.T, prog *bpfsys.FD, target int, attachType bpfabi.AttachType) *bpfsys.FD {
	t.Helper()
	attr := &[12]uint32{uint32(prog.Int()), uint32(target), uint32(attachType)}
	n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(bpfabi.CommandLinkCreate), uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
	if errno != 0 {
		t.Fatalf("link to %d as %v: %v", target, attachType, errno)
	}
	link, err := bpfsys.NewFD(int(n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	return link
}

// harmless loads a program that returns 1 at once: traffic passes.
func harmless(t *testing.T, typ bpfabi.ProgramType, attachType bpfabi.AttachType) (*bpfsys.FD, bpfsys.ProgramInfo) {
	t.Helper()
	result := byte(1)
	if typ == bpfabi.ProgramXDP {
		result = 2 // XDP_PASS
	}
	prog, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{Name: "harmless", Type: typ, ExpectedAttachType: attachType, License: "GPL",
		Instructions: []byte{0xb7, 0, 0, 0, result, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prog.Close() })
	info, err := bpfsys.GetProgramInfo(prog)
	if err != nil {
		t.Fatal(err)
	}
	return prog, info
}

// testCgroup makes an empty control group, in which nothing ever runs.
func testCgroup(t *testing.T) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		var where unix.Statfs_t
		if unix.Statfs(root, &where) != nil || where.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir, err := os.MkdirTemp(root, "tbpf-loader-test-")
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		return dir
	}
	t.Skip("no cgroup2 file system")
	return ""
}

// A14, A25: a link is of the program, the type and the target that were asked
// for, or everything goes.
func TestLinksAreComparedWithTheirTargets(t *testing.T) {
	needBPF(t)
	cgroup := testCgroup(t)
	err := onOtherThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil { // the thread ends with the test
			t.Log(err)
			return nil
		}
		m := withInputs()
		netnsPath := filepath.Join("/proc/self/task", strconv.Itoa(unix.Gettid()), "ns/net")
		in, err := openInputs(m, map[string]string{"xdp": "lo", "tc": "lo:egress", "cgroup": cgroup, "netns": netnsPath})
		if err != nil {
			return err
		}
		defer in.close()
		for _, c := range []struct {
			program    int // in m
			typ        bpfabi.ProgramType
			attachType bpfabi.AttachType
			target     int
		}{
			{0, bpfabi.ProgramXDP, bpfabi.AttachXDP, int(in["xdp"].ifindex)},
			{1, bpfabi.ProgramSchedCls, bpfabi.AttachTCXEgress, int(in["tc"].ifindex)},
			{3, bpfabi.ProgramCgroupSKB, bpfabi.AttachCgroupInetIngress, in["cgroup"].fd.Int()},
			{4, bpfabi.ProgramSkLookup, bpfabi.AttachSkLookup, in["netns"].fd.Int()},
		} {
			if c.typ == bpfabi.ProgramSchedCls && older(release(t), "6.6") {
				continue // no tcx
			}
			p := m.Programs[c.program]
			prog, info := harmless(t, c.typ, c.attachType)
			checkVariations(t, p, createLink(t, prog, c.target, c.attachType), info, *in[p.Name])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkVariations checks a link with its own target, and with every other.
func checkVariations(t *testing.T, p manifest.Program, link *bpfsys.FD, info bpfsys.ProgramInfo, in input) {
	t.Helper()
	report, err := checkLink(&p, link, info, &in, new(targetTypes))
	if err != nil || report.Program != p.Name || report.Target != in.text || report.ID == 0 {
		t.Errorf("%s: %+v, %v", p.Name, report, err)
	}
	for what, change := range map[string]func(*manifest.Program, *bpfsys.ProgramInfo, *input){
		"program": func(_ *manifest.Program, info *bpfsys.ProgramInfo, _ *input) { info.ID++ },
		"target":  func(_ *manifest.Program, _ *bpfsys.ProgramInfo, in *input) { in.ifindex++; in.inode++ },
		"kind":    func(_ *manifest.Program, _ *bpfsys.ProgramInfo, in *input) { in.kind = "planet" },
		"attach type": func(p *manifest.Program, _ *bpfsys.ProgramInfo, in *input) {
			p.AttachType, in.attachType = "cgroup_inet_egress", 0
		},
		"signed": func(p *manifest.Program, _ *bpfsys.ProgramInfo, _ *input) { p.Attach.Input = "" },
	} {
		p, info, in := p, info, in
		change(&p, &info, &in)
		if _, err := checkLink(&p, link, info, &in, new(targetTypes)); err == nil {
			t.Errorf("%s: a link with another %s was taken", p.Name, what)
		}
	}
	if _, err := checkLink(&p, link, info, nil, new(targetTypes)); err == nil {
		t.Errorf("%s: a link was taken that nobody asked for", p.Name)
	}
}

// A link to a tracepoint says its name.
func TestTracepointLinksAreComparedByName(t *testing.T) {
	needBPF(t)
	prog, info := harmless(t, bpfabi.ProgramRawTracepoint, 0)
	link, err := bpfsys.OpenRawTracepoint("task_rename", prog)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	p := manifest.Program{Name: "p", Type: "tracing", AttachType: "trace_raw_tp", AttachTarget: "task_rename", Attach: manifest.Attach{By: byKernel}}
	if _, err := checkLink(&p, link, info, nil, new(targetTypes)); err != nil {
		t.Error(err)
	}
	p.AttachTarget = "task_newtask"
	if _, err := checkLink(&p, link, info, nil, new(targetTypes)); err == nil {
		t.Error("a link to another tracepoint was taken")
	}
	p.AttachTarget, p.AttachType = "task_rename", "trace_iter"
	if _, err := checkLink(&p, link, info, nil, new(targetTypes)); err == nil {
		t.Error("a link of another type was taken")
	}
	if _, err := checkLink(&p, prog, info, nil, new(targetTypes)); err == nil {
		t.Error("a program was taken for a link")
	}
}

func release(t *testing.T) string {
	t.Helper()
	here, err := thisMachine()
	if err != nil {
		t.Fatal(err)
	}
	return here.release
}
