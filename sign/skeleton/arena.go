package skeleton

import (
	"fmt"
	"slices"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// arenaSection holds the variables that lie in an object's arena, as compilers
// name the section of address space 1.
const arenaSection = ".addr_space.1"

// arenaAddress is where an arena lies for user space if the object does not say.
// Programs are verified for one address, and its own loader would take what mmap
// happens to give it. This one is within the address space of x86-64 and arm64,
// far from what starts at either end of it, and a multiple of 4 GiB, which an
// arena must not cross.
const arenaAddress = 1 << 44

// maxDirect is the first offset in a map that an instruction cannot refer to
// (kernel/bpf/verifier.c, BPF_MAX_VAR_OFF).
const maxDirect = 1 << 29

// arena is an object's arena with variables in it.
type arena struct {
	plan *mapPlan
	data []byte // the variables' initial values
	at   uint32 // where they lie in the arena, bytes
}

// takeArena finds the arena among the plans, and what the object's variables put
// into it: section is the plan of their section, nil if there is none. Of several
// arenas, of which a program can use one, none has variables.
func takeArena(plans []*mapPlan, section *mapPlan) (*arena, error) {
	var all []*mapPlan
	for _, m := range plans {
		if m.typ != bpfabi.MapArena {
			continue
		}
		if m.extra == 0 {
			m.extra = arenaAddress + uint64(len(all))<<32
		}
		all = append(all, m)
	}
	switch {
	case section == nil:
		return nil, nil
	case len(all) != 1:
		return nil, &UnsupportedError{Name: fmt.Sprintf("section %q", arenaSection), Why: fmt.Sprintf("its variables lie in an arena, and the object has %d", len(all))}
	}
	a := &arena{plan: all[0]}
	return a, a.place(section.zeroes)
}

// place puts the variables at the end of the arena, where libbpf 1.8 has them:
// at its beginning the first one would have the address that programs take for
// none.
func (a *arena) place(data []byte) error {
	m := a.plan
	refuse := func(format string, args ...any) error {
		return &UnsupportedError{Name: fmt.Sprintf("map %q", m.name), Why: fmt.Sprintf(format, args...)}
	}
	size := (uint64(len(data)) + manifest.ArenaPage - 1) &^ (manifest.ArenaPage - 1)
	end := min(uint64(m.maxEntries)*manifest.ArenaPage, maxDirect)
	switch {
	case len(data) == 0 || size > end:
		return refuse("its %d pages do not hold the %d bytes of section %q", m.maxEntries, len(data), arenaSection)
	case m.flags&bpfabi.MapFlagSegvOnFault != 0:
		return refuse("nobody can fill it: who touches a page that no program has allocated ends by a signal (flag segv_on_fault)")
	case m.flags&bpfabi.MapFlagMmapable == 0:
		return refuse("nobody can fill it: it lacks the flag mmapable")
	}
	a.data, a.at = data, uint32(end-size)
	m.arena = a
	return nil
}

// attachLater makes the programs that use an arena with variables attach when
// those are there, which is after the loader program.
func (p *plan) attachLater() error {
	if p.obj.arena == nil {
		return nil
	}
	for _, prog := range p.progs {
		t := &prog.target
		switch {
		case !slices.Contains(prog.maps, p.obj.arena.plan.name):
		case bpfabi.ProgramType(prog.spec.Type) == bpfabi.ProgramStructOps:
			return &UnsupportedError{Name: fmt.Sprintf("program %q", prog.name), Why: fmt.Sprintf(
				"the kernel would call it before the variables of the arena are there (section %q), which nothing inside the kernel can write", arenaSection)}
		case t.by == byKernel:
			t.by, t.later = byBroker, true
		}
	}
	return nil
}
