package skeleton

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// leastKernel is the first release whose loader programs can carry CO-RE
// relocations to the kernel.
const leastKernel = "5.17"

// Releases that brought what the loader's floor does not have, from the
// history of include/uapi/linux/bpf.h.
var (
	mapSince = map[bpfabi.MapType]string{
		bpfabi.MapStructOps:   "6.4", // by link; without one since 5.6
		bpfabi.MapUserRingBuf: "6.1", bpfabi.MapCgrpStorage: "6.2", bpfabi.MapArena: "6.9",
		bpfabi.MapInstructionArray: "6.19",
	}
	programSince = map[bpfabi.ProgramType]string{bpfabi.ProgramNetfilter: "6.4"}
	attachSince  = map[bpfabi.AttachType]string{
		bpfabi.AttachTraceKProbeMulti: "5.18", bpfabi.AttachLSMCgroup: "6.0", bpfabi.AttachNetfilter: "6.4",
		bpfabi.AttachTCXIngress: "6.6", bpfabi.AttachTCXEgress: "6.6", bpfabi.AttachTraceUProbeMulti: "6.6",
		bpfabi.AttachCgroupUnixConnect: "6.7", bpfabi.AttachCgroupUnixSendmsg: "6.7", bpfabi.AttachCgroupUnixRecvmsg: "6.7",
		bpfabi.AttachCgroupUnixGetpeername: "6.7", bpfabi.AttachCgroupUnixGetsockname: "6.7",
		bpfabi.AttachNetkitPrimary: "6.7", bpfabi.AttachNetkitPeer: "6.7",
		bpfabi.AttachTraceKProbeSession: "6.10", bpfabi.AttachTraceUProbeSession: "6.13", bpfabi.AttachTraceFsession: "7.0",
	}
	helperSince = map[int32]string{
		186: "5.18", 187: "5.18", 188: "5.18", 189: "5.18", 190: "5.18", 191: "5.18", 192: "5.18", 193: "5.18",
		194: "5.19", 195: "5.19", 196: "5.19", 197: "5.19", 198: "5.19", 199: "5.19", 200: "5.19", 201: "5.19", 202: "5.19", 203: "5.19",
		204: "6.0", 205: "6.0", 206: "6.0", 207: "6.0", 208: "6.1", 209: "6.1", 210: "6.2", 211: "6.2",
	}
)

// kernelNeeds is what a kernel must have before a load is tried. What it
// cannot know, such as kernel functions, the loader program finds out.
func kernelNeeds(p *plan) manifest.KernelNeeds {
	needs := make(map[string]string)
	add := func(feature, since string) {
		if since != "" {
			needs[feature] = since
		}
	}
	k := manifest.KernelNeeds{Minimum: leastKernel}
	for _, m := range p.maps {
		add("map type "+m.typ.String(), mapSince[m.typ])
		if m.inner != nil {
			add("map type "+m.inner.typ.String(), mapSince[m.inner.typ])
		}
	}
	k.BTF = len(p.tables) > 0
	for _, prog := range p.progs {
		if prog.target.lookup != "" || len(prog.relos) > 0 {
			k.BTF = true
		}
		if prog.optional {
			continue
		}
		typ, attach := bpfabi.ProgramType(prog.spec.Type), bpfabi.AttachType(prog.spec.AttachType)
		if typ == bpfabi.ProgramLSM {
			k.LSM = true
		}
		add("program type "+typ.String(), programSince[typ])
		add("attach type "+attach.String(), attachSince[attach])
		for _, h := range prog.helpers {
			if n, err := bpfabi.ParseHelper(h); err == nil {
				add("helper "+h, helperSince[n])
			}
		}
	}
	for _, s := range p.symbols {
		if s.kind != "address" {
			k.BTF = true
		}
	}
	for _, feature := range slices.Sorted(maps.Keys(needs)) {
		k.Needs = append(k.Needs, manifest.Need{Feature: feature, Since: needs[feature]})
		if compareReleases(needs[feature], k.Minimum) > 0 {
			k.Minimum = needs[feature]
		}
	}
	return k
}

// compareReleases compares "6.9" with "6.12".
func compareReleases(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return cmp.Compare(m, n)
		}
	}
	return cmp.Compare(len(x), len(y))
}

// delegation is the least that a token must allow for the loader program and
// what it does. Updating, freezing, attaching and running take no token.
func delegation(p *plan) manifest.Delegation {
	commands := map[bpfabi.Command]bool{bpfabi.CommandMapCreate: true, bpfabi.CommandProgLoad: true}
	mapTypes := map[bpfabi.MapType]bool{bpfabi.MapArray: true}
	progTypes := map[bpfabi.ProgramType]bool{bpfabi.ProgramSyscall: true}
	attachTypes := map[bpfabi.AttachType]bool{0: true}
	if p.obj.btf != nil {
		commands[bpfabi.CommandBTFLoad] = true
	}
	for _, m := range p.maps {
		mapTypes[m.typ] = true
		if m.inner != nil {
			mapTypes[m.inner.typ] = true
		}
	}
	for _, prog := range p.progs {
		progTypes[bpfabi.ProgramType(prog.spec.Type)] = true
		attachTypes[bpfabi.AttachType(prog.spec.AttachType)] = true
	}
	for _, t := range p.tables {
		// The probe has types, whatever the object has. A member's index is its
		// program's attach type.
		commands[bpfabi.CommandBTFLoad] = true
		for _, m := range t.maps {
			for _, placed := range m.placed {
				for _, f := range placed.funcs {
					attachTypes[bpfabi.AttachType(f.index)] = true
				}
			}
		}
	}
	return manifest.Delegation{
		Commands: namesOf(commands), Maps: namesOf(mapTypes), Programs: namesOf(progTypes), AttachTypes: namesOf(attachTypes),
	}
}

// namesOf sorts by the kernel's numbers.
func namesOf[T interface {
	~uint32
	String() string
}](set map[T]bool) []string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(set)) {
		names = append(names, n.String())
	}
	return names
}

// capabilities is the least that loading takes, in the namespace of the token
// or, without one, in the initial one (kernel/bpf/syscall.c: map_create,
// bpf_prog_load; helpers.c: bpf_base_func_proto).
func capabilities(p *plan) []string {
	// sys_bpf itself wants CAP_PERFMON.
	set := map[string]bool{"CAP_BPF": true, "CAP_PERFMON": true}
	for _, m := range p.maps {
		for _, t := range []*mapPlan{m, m.inner} {
			if t == nil {
				continue
			}
			switch t.typ {
			case bpfabi.MapSockMap, bpfabi.MapSockHash, bpfabi.MapDevMap, bpfabi.MapDevMapHash, bpfabi.MapXSKMap:
				set["CAP_NET_ADMIN"] = true
			}
		}
	}
	for _, prog := range p.progs {
		switch bpfabi.ProgramType(prog.spec.Type) {
		case bpfabi.ProgramSchedCls, bpfabi.ProgramSchedAct, bpfabi.ProgramXDP, bpfabi.ProgramLWTIn, bpfabi.ProgramLWTOut,
			bpfabi.ProgramLWTXmit, bpfabi.ProgramLWTSEG6Local, bpfabi.ProgramSkSKB, bpfabi.ProgramSkMsg, bpfabi.ProgramFlowDissector,
			bpfabi.ProgramCgroupDevice, bpfabi.ProgramCgroupSock, bpfabi.ProgramCgroupSockAddr, bpfabi.ProgramCgroupSockopt,
			bpfabi.ProgramCgroupSysctl, bpfabi.ProgramSockOps, bpfabi.ProgramNetfilter, bpfabi.ProgramCgroupSKB, bpfabi.ProgramExt:
			set["CAP_NET_ADMIN"] = true
		}
	}
	for _, s := range p.symbols {
		if s.kind == "address" {
			set["CAP_SYSLOG"] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
