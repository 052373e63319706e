package skeleton

import (
	"strings"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// newerKinds are the sections that libbpf knows and cilium/ebpf does not
// (libbpf.c, section_defs), by what stands before the slash.
var newerKinds = map[string]struct {
	typ   bpfabi.ProgramType
	flags uint32
}{
	"tracepoint.s":     {bpfabi.ProgramTracepoint, bpfabi.ProgramFlagSleepable},
	"tp.s":             {bpfabi.ProgramTracepoint, bpfabi.ProgramFlagSleepable},
	"raw_tracepoint.s": {bpfabi.ProgramRawTracepoint, bpfabi.ProgramFlagSleepable},
	"raw_tp.s":         {bpfabi.ProgramRawTracepoint, bpfabi.ProgramFlagSleepable},
}

// nameKinds gives programs of such sections their type.
func (o *object) nameKinds() {
	for _, p := range o.spec.Programs {
		if p.Type != ebpf.UnspecifiedProgram {
			continue
		}
		kind, target, _ := strings.Cut(strings.TrimPrefix(p.SectionName, "?"), "/")
		if known, ok := newerKinds[kind]; ok {
			p.Type, p.Flags, p.AttachTo = ebpf.ProgramType(known.typ), known.flags, target
		}
	}
}
