package skeleton

import (
	"strings"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// newerKinds are the sections that libbpf knows and cilium/ebpf does not
// (libbpf.c, section_defs), by what stands before the slash.
var newerKinds = map[string]struct {
	typ    bpfabi.ProgramType
	flags  uint32
	attach bpfabi.AttachType
}{
	"tracepoint.s":     {bpfabi.ProgramTracepoint, bpfabi.ProgramFlagSleepable, 0},
	"tp.s":             {bpfabi.ProgramTracepoint, bpfabi.ProgramFlagSleepable, 0},
	"raw_tracepoint.s": {bpfabi.ProgramRawTracepoint, bpfabi.ProgramFlagSleepable, 0},
	"tp_btf.s":         {bpfabi.ProgramTracing, bpfabi.ProgramFlagSleepable, bpfabi.AttachTraceRawTP},
	"raw_tp.s":         {bpfabi.ProgramRawTracepoint, bpfabi.ProgramFlagSleepable, 0},
}

// nameKinds gives programs of such sections their type.
func (o *object) nameKinds() {
	for _, p := range o.spec.Programs {
		if p.Type != ebpf.UnspecifiedProgram {
			continue
		}
		kind, target, _ := strings.Cut(strings.TrimPrefix(p.SectionName, "?"), "/")
		if known, ok := newerKinds[kind]; ok {
			p.Type, p.Flags, p.AttachTo, p.AttachType = ebpf.ProgramType(known.typ), known.flags, target, ebpf.AttachType(known.attach)
		}
	}
}
