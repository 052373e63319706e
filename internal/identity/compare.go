//go:build linux

package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
)

// Compare says how b differs from a, in sentences that begin with the name of
// the program or map. Both are loads of the same object, on the same kernel
// since it was started; a is by cilium/ebpf. An empty answer means that they are the same.
//
// Contents of maps that are in written are left alone: a program has run since.
func Compare(a, b *Object, k *Symbols, written map[string]bool) []string {
	var d differences
	for _, name := range union(a.Programs, b.Programs) {
		p, q := a.Programs[name], b.Programs[name]
		d.begin(fmt.Sprintf("program %q", name))
		if p == nil || q == nil {
			d.add("it is in one load only")
			continue
		}
		d.programs(name, p, q, k)
	}
	for _, name := range union(a.Maps, b.Maps) {
		m, n := a.Maps[name], b.Maps[name]
		d.begin(fmt.Sprintf("map %q", name))
		if m == nil || n == nil {
			d.add("it is in one load only")
			continue
		}
		d.maps(m, n)
		if !written[name] {
			d.contents(m, n)
		}
	}
	return d.list
}

func union[V any](a, b map[string]V) []string {
	names := append(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b))...)
	slices.Sort(names)
	return slices.Compact(names)
}

// differences collects sentences.
type differences struct {
	what string
	list []string
}

func (d *differences) begin(what string) { d.what = what }

func (d *differences) add(format string, args ...any) {
	d.list = append(d.list, d.what+": "+fmt.Sprintf(format, args...))
}

func differ[V comparable](d *differences, what string, a, b V) {
	if a != b {
		d.add("%s is %v, and %v", what, a, b)
	}
}

// inCilium is what cilium/ebpf calls a program whose symbol has characters that
// the kernel does not take: it leaves them out. C has no such names.
func inCilium(name string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
	}
	if !strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return ""
	}
	name = strings.Map(func(c rune) rune {
		if plain(c) {
			return c
		}
		return -1
	}, name)
	return name[:min(len(name), 15)]
}

func (d *differences) programs(name string, p, q *Program, k *Symbols) {
	differ(d, "type", p.Type, q.Type)
	if p.Name != inCilium(name) || q.Name == "" {
		differ(d, "name", p.Name, q.Name)
	}
	differ(d, "GPL", p.GPL, q.GPL)
	differ(d, "the types of its attach target", p.TargetBTF, q.TargetBTF)
	differ(d, "its attach target", p.TargetType, q.TargetType)
	if !slices.Equal(p.Maps, q.Maps) {
		d.add("it uses the maps %q, and %q", p.Maps, q.Maps)
	}
	if (p.state == nil) != (q.state == nil) {
		d.add("its state was read in one load only")
	} else if p.state != nil {
		differ(d, "expected attach type", p.state.expectedAttach, q.state.expectedAttach)
		differ(d, "sleepable", p.state.sleepable, q.state.sleepable)
		differ(d, "takes fragments", p.state.fragments, q.state.fragments)
	}
	if len(p.Instructions) != len(q.Instructions) {
		d.add("it has %d instructions, and %d", len(p.Instructions), len(q.Instructions))
		return
	}
	d.instructions(p, q, k)
	// The tag is over what a load gives: a map's descriptor or its number in the
	// load's list, which the two need not do alike, and what the one relocates
	// itself and the other has the kernel relocate. So what is known to be that of
	// the signed instructions need not be the other's.
	if !p.Given && !q.Given && len(p.Maps) == 0 && len(q.Maps) == 0 && p.Tag != q.Tag {
		d.add("its tag is %x, and %x", p.Tag, q.Tag)
	}
}

func (d *differences) instructions(p, q *Program, k *Symbols) {
	same := newPairs()
	for i := 0; i < len(p.Instructions); i++ {
		x, y := p.Instructions[i], q.Instructions[i]
		if x.Code == codeCall && x.Src == sourceKfunc && x.Offset != 0 && y.Offset != 0 {
			// The place of a module's types in the load's own list. The kernel
			// wrote the function's address into the instruction.
			x.Offset, y.Offset = 0, 0
		}
		if x != y && x.Code == codeLoad64 && i+1 < len(p.Instructions) && own(p.Instructions, q.Instructions, i, k, same) {
			i++
			continue
		}
		if x != y {
			d.add("instruction %d is %v, and %v", i, x, y)
			return
		}
	}
}

func (d *differences) maps(m, n *Map) {
	differ(d, "type", m.Type, n.Type)
	differ(d, "name", m.Name, n.Name)
	differ(d, "key size", m.KeySize, n.KeySize)
	differ(d, "value size", m.ValueSize, n.ValueSize)
	if cpus, err := ebpf.PossibleCPU(); ebpf.MapType(m.Type) == ebpf.PerfEventArray && err == nil && m.MaxEntries == uint32(cpus) && n.MaxEntries > m.MaxEntries {
		// cilium/ebpf makes no more than there are processors, whatever the object says.
	} else {
		differ(d, "number of entries", m.MaxEntries, n.MaxEntries)
	}
	differ(d, "flags", m.Flags, n.Flags)
	differ(d, "extra", m.Extra, n.Extra)
	differ(d, "frozen", m.Frozen, n.Frozen)
	differ(d, "key type", m.Key, n.Key)
	differ(d, "value type", m.Value, n.Value)
	differ(d, "kernel type", m.KernelType, n.KernelType)
}

func (d *differences) contents(m, n *Map) {
	for _, key := range union(m.Contents, n.Contents) {
		if v, w := m.Contents[key], n.Contents[key]; v != w {
			d.add("at key %x it holds %s, and %s", key, first(v, w), first(w, v))
			return
		}
	}
}

// first shows a value from where it differs from the other.
func first(v, other string) string {
	at := 0
	for at < len(v) && at < len(other) && v[at] == other[at] {
		at++
	}
	rest := []byte(v[at:])
	return fmt.Sprintf("%x (from byte %d)", rest[:min(16, len(rest))], at)
}
