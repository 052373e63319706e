package skeleton

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// keeps reports whether a map was asked to be kept.
func (o Options) keeps(name string) bool { return slices.Contains(o.Keep, name) }

// checkMaps refuses names that are no map's, and takes over the modes of pins.
func (o Options) checkMaps(plans []*mapPlan) error {
	find := func(name string) int {
		return slices.IndexFunc(plans, func(m *mapPlan) bool { return m.name == name })
	}
	for _, name := range o.Keep {
		if find(name) < 0 {
			return &UnsupportedError{Name: fmt.Sprintf("map %q", name), Why: "it is to be kept, and the object has no such map"}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Modes)) {
		i := find(name)
		if i < 0 {
			return &UnsupportedError{Name: fmt.Sprintf("map %q", name), Why: "it gets a mode, and the object has no such map"}
		}
		if err := manifest.CheckMode(o.Modes[name]); err != nil {
			return &UnsupportedError{Name: fmt.Sprintf("map %q", name), Why: err.Error()}
		}
		plans[i].mode = o.Modes[name]
	}
	return nil
}

// setKeep marks a map that newer versions of the object take over: one that was
// asked for, or that the object declares with LIBBPF_PIN_BY_NAME. Not every map
// can be: what some hold is this version's alone. One of those that the object
// only declares keeps its declaration, and the loader will not replace it.
func (m *mapPlan) setKeep(o *object, asked bool) error {
	if !asked && !m.byName {
		return nil
	}
	why := ""
	switch {
	case m.freeze:
		why = "its contents are signed"
	case m.inner != nil || len(m.entries) > 0 || m.arena != nil:
		why = "it refers to maps or programs of this version"
	}
	if why != "" {
		if asked {
			return &UnsupportedError{Name: fmt.Sprintf("map %q", m.name), Why: "it cannot be kept: " + why}
		}
		return nil
	}
	m.keep = true
	var err error
	m.types, err = o.mapTypes(m.btfKey, m.btfValue)
	if err != nil {
		return &UnsupportedError{Name: fmt.Sprintf("map %q", m.name), Why: "it cannot be kept: " + err.Error()}
	}
	return nil
}

// mapTypes is the digest of the types of a map's keys and values.
func (o *object) mapTypes(key, value uint32) ([sha256.Size]byte, error) {
	if value == 0 {
		return kernelbtf.NoMapTypes(), nil
	}
	types, err := kernelbtf.Parse(o.btf.encode(), nil)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return types.MapTypes(key, value)
}

// takeKept uses the descriptor of a map that is kept and jumps to a label, or
// goes on where there is none.
func (e *emitter) takeKept(m *mapPlan, label string) {
	create := label + ".new"
	e.add(
		asm.LoadMem(asm.R1, regCtx, contextSlot(m.keepSlot), asm.Word),
		asm.JSLT.Imm32(asm.R1, 0, create),
	)
	e.store(e.img.fd(m.fd), asm.R1, asm.Word)
	e.add(asm.Ja.Label(label))
	e.label(create)
}

// returnKept takes the descriptors of kept maps out of the table: they are the
// caller's, who gets them back neither as results nor closed.
func (e *emitter) returnKept(p *plan, path string) {
	for i, m := range p.maps {
		if !m.keep {
			continue
		}
		e.breakpoint()
		mine := fmt.Sprintf("kept.%s.%d", path, i)
		e.add(
			asm.LoadMem(asm.R1, regCtx, contextSlot(m.keepSlot), asm.Word),
			asm.JSLT.Imm32(asm.R1, 0, mine),
			asm.Mov.Imm(asm.R1, -1),
		)
		e.store(e.img.fd(m.fd), asm.R1, asm.Word)
		e.label(mine)
	}
}
