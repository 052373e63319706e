package bpfabi

import (
	"strings"
	"testing"
)

func TestNumbersAreTheKernels(t *testing.T) {
	for _, c := range []struct {
		got, name string
		number    uint32
		want      uint32
	}{
		{ProgramSyscall.String(), "syscall", uint32(ProgramSyscall), 31},
		{ProgramLSM.String(), "lsm", uint32(ProgramLSM), 29},
		{ProgramExt.String(), "ext", uint32(ProgramExt), 28},
		{ProgramSchedCls.String(), "sched_cls", uint32(ProgramSchedCls), 3},
		{ProgramNetfilter.String(), "netfilter", uint32(ProgramNetfilter), 32},
		{MapRingBuf.String(), "ringbuf", uint32(MapRingBuf), 27},
		{MapCgroupStorage.String(), "cgroup_storage", uint32(MapCgroupStorage), 19},
		{MapPerCPUCgroupStorage.String(), "percpu_cgroup_storage", uint32(MapPerCPUCgroupStorage), 21},
		{MapArena.String(), "arena", uint32(MapArena), 33},
		{AttachLSMMac.String(), "lsm_mac", uint32(AttachLSMMac), 27},
		{AttachXDP.String(), "xdp", uint32(AttachXDP), 37},
		{AttachTCXIngress.String(), "tcx_ingress", uint32(AttachTCXIngress), 46},
		{AttachTCXEgress.String(), "tcx_egress", uint32(AttachTCXEgress), 47},
		{AttachTraceFsession.String(), "trace_fsession", uint32(AttachTraceFsession), 58},
		{CommandProgRun.String(), "prog_run", uint32(CommandProgRun), 10},
		{CommandLinkCreate.String(), "link_create", uint32(CommandLinkCreate), 28},
		{CommandTokenCreate.String(), "token_create", uint32(CommandTokenCreate), 36},
		{LinkTracing.String(), "tracing", uint32(LinkTracing), 2},
		{LinkTCX.String(), "tcx", uint32(LinkTCX), 11},
	} {
		if c.got != c.name || c.number != c.want {
			t.Errorf("got %q = %d, want %q = %d", c.got, c.number, c.name, c.want)
		}
	}
}

func TestParseIsTheInverseOfString(t *testing.T) {
	for n := range programTypeTable {
		if p, err := ParseProgramType(ProgramType(n).String()); err != nil || p != ProgramType(n) {
			t.Errorf("program type %d: %v, %v", n, p, err)
		}
	}
	for n := range mapTypeTable {
		if p, err := ParseMapType(MapType(n).String()); err != nil || p != MapType(n) {
			t.Errorf("map type %d: %v, %v", n, p, err)
		}
	}
	for n := range attachTypeTable {
		if p, err := ParseAttachType(AttachType(n).String()); err != nil || p != AttachType(n) {
			t.Errorf("attach type %d: %v, %v", n, p, err)
		}
	}
	for n := range linkTypeTable {
		if p, err := ParseLinkType(LinkType(n).String()); err != nil || p != LinkType(n) {
			t.Errorf("link type %d: %v, %v", n, p, err)
		}
	}
	for n := range commandTable {
		if p, err := ParseCommand(Command(n).String()); err != nil || p != Command(n) {
			t.Errorf("command %d: %v, %v", n, p, err)
		}
	}
	for n := int32(1); int(n) < len(helperTable); n++ {
		if p, err := ParseHelper(HelperName(n)); err != nil || p != n {
			t.Errorf("helper %d: %v, %v", n, p, err)
		}
	}
	for _, p := range Profiles() {
		if q, err := ParseProfile(p.String()); err != nil || q != p {
			t.Errorf("profile %d: %v, %v", p, q, err)
		}
	}
}

// A kernel newer than the table, or a hostile manifest, must neither crash
// String nor be parsed.
func TestUnknownNumbersAndSpellings(t *testing.T) {
	for got, want := range map[string]string{
		ProgramType(33).String(): "program type(33)", MapType(1 << 31).String(): "map type(2147483648)",
		AttachType(62).String(): "attach type(62)", Command(39).String(): "command(39)",
		LinkType(16).String(): "link type(16)", Profile(0).String(): "profile(0)",
		HelperName(0): "helper(0)", HelperName(-1): "helper(-1)", HelperName(212): "helper(212)",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, name := range []string{"", "LSM", "lsm ", "BPF_PROG_TYPE_LSM", "program type(29)", "cgroup_storage_deprecated", "prog_test_run", "bpf_", "bpf_unspec"} {
		if _, err := ParseProgramType(name); err == nil {
			t.Errorf("program type %q was parsed", name)
		}
		if _, err := ParseMapType(name); err == nil {
			t.Errorf("map type %q was parsed", name)
		}
		if _, err := ParseCommand(name); err == nil {
			t.Errorf("command %q was parsed", name)
		}
		if _, err := ParseHelper(name); err == nil {
			t.Errorf("helper %q was parsed", name)
		}
	}
}

func TestHelperNames(t *testing.T) {
	for n, want := range map[int32]string{
		1: "bpf_map_lookup_elem", 131: "bpf_ringbuf_reserve", 166: "bpf_sys_bpf", 167: "bpf_btf_find_by_name_kind",
		168: "bpf_sys_close", 179: "bpf_kallsyms_lookup_name", 211: "bpf_cgrp_storage_delete",
	} {
		if got := HelperName(n); got != want {
			t.Errorf("helper %d = %q, want %q", n, got, want)
		}
	}
}

// The names go into bpffs mount options, where ':' separates them.
func TestNamesFitMountOptions(t *testing.T) {
	for _, table := range [][]string{programTypeTable[:], mapTypeTable[:], attachTypeTable[:], commandTable[:]} {
		for n, name := range table {
			if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
				t.Errorf("%d: name %q", n, name)
			}
		}
	}
}
