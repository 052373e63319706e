package skeleton

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// target says how a program finds what it attaches to, and who attaches it.
type target struct {
	// The kernel type that attach_btf_id refers to; lookup is "" without one.
	lookup     string
	lookupKind uint32
	module     string // that has it, "vmlinux" for the kernel proper; "" if any may

	by        string // as manifest.Attach.By
	input     string // as manifest.Attach.Input
	name      string // as manifest.Program.AttachTarget
	linkType  bpfabi.AttachType
	direction bool // the second input slot chooses tcx_ingress or tcx_egress
	replaces  bool // the input is a program, of which it replaces a function; the second slot has the function's type
	later     bool // it could be attached from inside, and waits until the arena is filled
}

// Who attaches.
const (
	byKernel = "kernel"
	byBroker = "broker"
	byNone   = "none"
)

// kernelProper is what targets call the kernel without its modules.
const kernelProper = "vmlinux"

// hasTarget reports whether programs of a type may have a target that is signed.
func hasTarget(t bpfabi.ProgramType) bool {
	switch t {
	case bpfabi.ProgramTracing, bpfabi.ProgramLSM, bpfabi.ProgramExt, bpfabi.ProgramKProbe, bpfabi.ProgramTracepoint,
		bpfabi.ProgramRawTracepoint, bpfabi.ProgramRawTracepointWritable:
		return true
	}
	return false
}

// targetOf finds the target of a program, or why it has none that a loader
// program could use.
func targetOf(p *ebpf.ProgramSpec) (target, error) {
	typ, attach := bpfabi.ProgramType(p.Type), bpfabi.AttachType(p.AttachType)
	refuse := func(format string, args ...any) (target, error) {
		return target{}, &UnsupportedError{Name: fmt.Sprintf("program %q", p.Name), Why: fmt.Sprintf(format, args...)}
	}
	switch typ {
	case bpfabi.ProgramUnspec:
		return refuse("section %q names no program type, and no program calls it", p.SectionName)
	case bpfabi.ProgramStructOps:
		return target{by: byNone}, nil // planStructOps knows more
	case bpfabi.ProgramExt:
		if p.AttachTo == "" || strings.ContainsAny(p.AttachTo, "/*?:") {
			return refuse("section %q names no function to replace: --target %s=NAME puts one under the signature", p.SectionName, p.Name)
		}
		return target{by: byKernel, input: manifest.InputProgram, name: p.AttachTo, replaces: true}, nil
	case bpfabi.ProgramTracing, bpfabi.ProgramLSM:
		return btfTarget(p, typ, attach, refuse)
	case bpfabi.ProgramXDP:
		if attach == bpfabi.AttachXDP {
			return target{by: byKernel, input: "ifindex", linkType: attach}, nil
		}
	case bpfabi.ProgramSchedCls:
		switch attach {
		case bpfabi.AttachTCXIngress, bpfabi.AttachTCXEgress, bpfabi.AttachNetkitPrimary, bpfabi.AttachNetkitPeer:
			return target{by: byKernel, input: "ifindex", linkType: attach}, nil
		}
		return target{by: byKernel, input: "ifindex", direction: true}, nil
	case bpfabi.ProgramSkLookup, bpfabi.ProgramFlowDissector:
		return target{by: byKernel, input: "netns", linkType: attach}, nil
	case bpfabi.ProgramCgroupSKB:
		if p.SectionName != "cgroup/skb" && p.SectionName != "?cgroup/skb" {
			return target{by: byKernel, input: "cgroup", linkType: attach}, nil
		}
	case bpfabi.ProgramCgroupSock, bpfabi.ProgramCgroupSockAddr, bpfabi.ProgramCgroupSockopt,
		bpfabi.ProgramCgroupSysctl, bpfabi.ProgramCgroupDevice, bpfabi.ProgramSockOps:
		return target{by: byKernel, input: "cgroup", linkType: attach}, nil
	case bpfabi.ProgramKProbe, bpfabi.ProgramTracepoint, bpfabi.ProgramRawTracepoint, bpfabi.ProgramRawTracepointWritable:
		return probeTarget(p, typ), nil
	}
	return target{by: byNone, name: p.AttachTo}, nil
}

// probeTarget is targetOf for the program types that the broker attaches. Where
// the object does not say to what, the machine does.
func probeTarget(p *ebpf.ProgramSpec, typ bpfabi.ProgramType) target {
	kind, _, _ := strings.Cut(strings.TrimPrefix(p.SectionName, "?"), "/")
	if kind == "usdt" || kind == "usdt.s" {
		// What is at such a place and where its arguments lie is in the notes of
		// the file, from which its own loader fills maps. Nobody does here.
		return target{by: byNone, name: p.AttachTo}
	}
	if p.AttachTo != "" {
		return target{by: byBroker, name: p.AttachTo}
	}
	switch {
	case typ == bpfabi.ProgramTracepoint:
		return target{by: byBroker, input: manifest.InputTracepoint}
	case typ != bpfabi.ProgramKProbe:
		return target{by: byBroker, input: manifest.InputRawTracepoint}
	case strings.HasPrefix(kind, "u"):
		return target{by: byBroker, input: manifest.InputUserFunction}
	case strings.HasSuffix(kind, "syscall"):
		return target{by: byBroker, input: manifest.InputSyscall}
	default:
		return target{by: byBroker, input: manifest.InputFunction}
	}
}

// setTarget gives a program the target that the signer names, in place of one
// that its section names: as its own loader would when it runs.
func setTarget(p *ebpf.ProgramSpec, name string) error {
	if typ := bpfabi.ProgramType(p.Type); !hasTarget(typ) {
		return &UnsupportedError{Name: fmt.Sprintf("program %q", p.Name), Why: fmt.Sprintf("a program of type %s has no target that a signature names", typ)}
	}
	p.AttachTo = name
	return nil
}

// btfTarget is targetOf for the program types that attach to a kernel type.
func btfTarget(p *ebpf.ProgramSpec, typ bpfabi.ProgramType, attach bpfabi.AttachType, refuse func(string, ...any) (target, error)) (target, error) {
	if p.AttachTo == "" {
		return refuse("section %q names no target, which the kernel wants to know when it loads the program: --target %s=NAME puts one under the signature", p.SectionName, p.Name)
	}
	module, name, found := strings.Cut(p.AttachTo, ":")
	if !found {
		module, name = "", p.AttachTo
	}
	if strings.ContainsAny(p.AttachTo, "/*?") || name == "" || found && module == "" || strings.Contains(name, ":") {
		return refuse("target %q: a loader program finds targets by name, or module and name, without patterns", p.AttachTo)
	}
	t := target{by: byKernel, name: p.AttachTo, linkType: attach, lookup: name, lookupKind: kindFunc, module: module}
	switch {
	case typ == bpfabi.ProgramLSM:
		t.lookup = "bpf_lsm_" + name
		if attach == bpfabi.AttachLSMCgroup {
			t.input = "cgroup"
		}
	case attach == bpfabi.AttachTraceRawTP:
		t.lookup, t.lookupKind = "btf_trace_"+name, kindTypedef
	case attach == bpfabi.AttachTraceIter:
		t.lookup = "bpf_iter_" + name
		switch name {
		case "bpf_map_elem", "bpf_sk_storage_map", "sockmap", "cgroup":
			// These iterate over one map or cgroup that someone names when
			// the iterator is made.
			t.by = byNone
		}
	case attach == bpfabi.AttachTraceFentry, attach == bpfabi.AttachTraceFexit, attach == bpfabi.AttachModifyReturn, attach == bpfabi.AttachTraceFsession:
	default:
		return refuse("attach type %s of section %q is not one that tbpf knows", attach, p.SectionName)
	}
	return t, nil
}
