package loader

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// withInputs is a manifest with a program for each kind of target.
func withInputs() *manifest.Manifest {
	input := func(name, typ, attachType, kind string, slot int) manifest.Program {
		return manifest.Program{Name: name, Type: typ, AttachType: attachType,
			Attach: manifest.Attach{By: byKernel, Link: 10 + slot, Input: kind, InputSlot: slot}}
	}
	return &manifest.Manifest{Programs: []manifest.Program{
		input("xdp", "xdp", "xdp", inputInterface, 0),
		input("tc", "sched_cls", "", inputInterface, 1),
		input("tcx", "sched_cls", "tcx_egress", inputInterface, 3),
		input("cgroup", "cgroup_skb", "cgroup_inet_ingress", inputCgroup, 4),
		input("netns", "sk_lookup", "sk_lookup", inputNetns, 5),
		input("other", "x", "x", "planet", 6),
		{Name: "fixed", Type: "lsm", Attach: manifest.Attach{By: byKernel, InputSlot: -1}},
	}}
}

func TestInputsGoIntoTheirSlots(t *testing.T) {
	m := withInputs()
	index, err := interfaceIndex("lo")
	if err != nil {
		t.Fatal(err)
	}
	in, err := openInputs(m, map[string]string{"xdp": "lo", "tc": "lo:egress", "tcx": "lo", "netns": "/proc/self/ns/net"})
	if err != nil {
		t.Fatal(err)
	}
	got := in.values(m, 0)
	want := map[int]int32{0: int32(index), 1: int32(index), 2: int32(bpfabi.AttachTCXEgress), 3: int32(index), 5: int32(in["netns"].fd.Int())}
	if len(got) != len(want) {
		t.Errorf("slots %v, want %v", got, want)
	}
	for slot, v := range want {
		if got[slot] != v {
			t.Errorf("slot %d: %d, want %d", slot, got[slot], v)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil || in["netns"].inode != st.Ino {
		t.Errorf("network namespace %d, want %d (%v)", in["netns"].inode, st.Ino, err)
	}
	for _, one := range in {
		if err := one.stillThere(); err != nil {
			t.Error(err)
		}
	}
	in["xdp"].ifindex++
	if in["xdp"].stillThere() == nil {
		t.Error("another interface of the same name was not noticed")
	}
	fd := in["netns"].fd.Int()
	if err := in.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Error("the network namespace is still open")
	}
	for text, want := range map[string]bpfabi.AttachType{"lo": bpfabi.AttachTCXIngress, "lo:ingress": bpfabi.AttachTCXIngress} {
		in, err := openInputs(m, map[string]string{"tc": text})
		if err != nil || in["tc"].attachType != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestInputsThatAreNoneAreRefused(t *testing.T) {
	plain := t.TempDir()
	file := filepath.Join(plain, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"nothing", "lo"}, {"", "lo"}, {"fixed", "lo"}, {"other", "earth"},
		{"xdp", ""}, {"xdp", "no-such-if"}, {"xdp", "lo:egress"}, {"xdp", "a name far too long for one"}, {"xdp", "lo\x00"},
		{"tc", "lo:up"}, {"tc", "lo:"}, {"tc", ":egress"}, {"tcx", "lo:ingress"},
		{"cgroup", plain}, {"cgroup", file}, {"cgroup", "/nowhere"}, {"cgroup", ""}, {"cgroup", "/proc"},
		{"netns", file}, {"netns", "/proc/self/ns/uts"}, {"netns", "/proc/self/status"}, {"netns", "/nowhere"},
	} {
		before := descriptors(t)
		in, err := openInputs(withInputs(), map[string]string{c[0]: c[1]})
		if in != nil {
			t.Errorf("%q=%q was taken", c[0], c[1])
			continue
		}
		mustRefuse(t, err, Failed, "attach-target")
		if after := descriptors(t); after != before {
			t.Errorf("%q=%q: %d descriptors are open, %d before", c[0], c[1], after, before)
		}
	}
}
