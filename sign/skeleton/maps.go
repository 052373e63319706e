package skeleton

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// mapPlan is one map that the loader program creates.
type mapPlan struct {
	name       string
	kernelName string
	typ        bpfabi.MapType
	keySize    uint32
	valueSize  uint32
	maxEntries uint32
	flags      uint32
	numaNode   uint32
	extra      uint64
	btfKey     uint32
	btfValue   uint32 // 0 = create it without BTF
	inner      *mapPlan
	data       []byte     // contents of a data section; nil = zeroes
	contentsAt uint32     // where the metadata has these or the arena's, known when it is laid out
	zeroes     []byte     // the same, also if they are zeroes
	entries    []mapEntry // of a map in map or a program array
	freeze     bool
	perCPU     bool   // max_entries is the machine's number of CPUs, from the slot after its own
	byName     bool   // declared with LIBBPF_PIN_BY_NAME
	keep       bool   // the version before hands it over, in the slot after its own and its size's
	mode       string // of its pin, if it is not the usual one
	slot       int
	keepSlot   int
	types      [sha256.Size]byte // of a map that is kept
	fd         int               // index in the metadata's table of file descriptors

	// Of a struct_ops map: what it holds, its structure, its value by layout,
	// and the link by which the kernel uses it.
	arena        *arena // of an arena with variables in it
	ops          *structOps
	table        *tablePlan
	placed       []*operations
	link, linkFD int
}

// mapEntry is one initial slot of a map in map (of a map) or program array (of
// a program).
type mapEntry struct {
	key []byte
	ref string
}

// maxCPUs bounds the entries of a perf event array that asks for one per CPU
// (max_entries 0): the most CPUs that Linux supports. How many the machine has
// is an input of the loader program; the signing machine's count would be wrong
// elsewhere, and readers open an event for each entry.
const maxCPUs = 8192

// ringPage is the page size that ring buffer sizes are rounded to.
const ringPage = 4096

// planMaps orders and checks the maps: ordinary ones by name, then those that
// hold maps, so that what they refer to is there first.
func planMaps(o *object, opt Options) ([]*mapPlan, error) {
	var plain, outer []*mapPlan
	names := make([]string, 0, len(o.spec.Maps))
	specs := make(map[string]*ebpf.MapSpec, len(o.spec.Maps))
	for name, spec := range o.spec.Maps {
		name = o.mapName(name)
		names = append(names, name)
		specs[name] = spec
	}
	slices.Sort(names)
	var inArena *mapPlan
	for _, name := range names {
		m, err := newMapPlan(o, name, specs[name], opt)
		if err != nil {
			return nil, err
		}
		if name == arenaSection {
			inArena = m
			continue
		}
		if m.inner != nil {
			outer = append(outer, m)
		} else {
			plain = append(plain, m)
		}
	}
	if o.kconfig != nil {
		if specs[manifest.KconfigMap] != nil {
			return nil, &UnsupportedError{Name: fmt.Sprintf("map %q", manifest.KconfigMap), Why: "the object also has variables that are declared __kconfig"}
		}
		at, _ := slices.BinarySearchFunc(plain, manifest.KconfigMap, func(m *mapPlan, name string) int { return strings.Compare(m.name, name) })
		plain = slices.Insert(plain, at, o.kconfig.newMap())
	}
	all := append(plain, outer...)
	var err error
	if o.arena, err = takeArena(all, inArena); err != nil {
		return nil, err
	}
	for _, m := range outer {
		for _, e := range m.entries {
			if !slices.ContainsFunc(plain, func(p *mapPlan) bool { return p.name == e.ref }) {
				return nil, &UnsupportedError{Name: fmt.Sprintf("map %q", m.name), Why: fmt.Sprintf("its initial value %q is no map of this object that holds no maps itself", e.ref)}
			}
		}
	}
	return all, nil
}

// newMapPlan checks one map.
func newMapPlan(o *object, name string, spec *ebpf.MapSpec, opt Options) (*mapPlan, error) {
	m := &mapPlan{
		name: name, kernelName: kernelName(o.mapName(spec.Name)), typ: bpfabi.MapType(spec.Type),
		keySize: spec.KeySize, valueSize: spec.ValueSize, maxEntries: spec.MaxEntries,
		flags: spec.Flags, numaNode: spec.NumaNode, extra: spec.MapExtra, byName: spec.Pinning == ebpf.PinByName,
	}
	refuse := func(format string, args ...any) (*mapPlan, error) {
		return nil, &UnsupportedError{Name: fmt.Sprintf("map %q", name), Why: fmt.Sprintf(format, args...)}
	}
	switch {
	case spec.Pinning != ebpf.PinNone && spec.Pinning != ebpf.PinByName:
		return refuse("its pinning %d is none that libbpf knows", spec.Pinning)
	case spec.Extra != nil && spec.Extra.Len() > 0:
		return refuse("its definition has %d bytes that libbpf does not know (iproute2's struct bpf_elf_map?)", spec.Extra.Len())
	case m.flags&(bpfabi.FlagToken|bpfabi.MapFlagVtypeBTF) != 0:
		return refuse("map flags %#x are the loader's to set", m.flags)
	}
	if err := m.fixSizes(opt.sizes(name), refuse); err != nil {
		return nil, err
	}
	m.setTypes(o, spec)
	if spec.InnerMap != nil {
		inner, err := newMapPlan(o, name+".inner", spec.InnerMap, Options{})
		if err != nil {
			return nil, err
		}
		if inner.perCPU {
			return refuse("its inner map asks for an entry for each CPU")
		}
		inner.slot, inner.keep = -1, false
		m.inner, m.valueSize = inner, 4
	} else if m.typ == bpfabi.MapArrayOfMaps || m.typ == bpfabi.MapHashOfMaps {
		return refuse("a map in map without a declaration of its inner map: its own loader would choose one at run time")
	}
	if strings.HasPrefix(name, ".") {
		m.flags |= bpfabi.MapFlagMmapable
		m.freeze = m.flags&bpfabi.MapFlagReadOnlyProgram != 0
	}
	if m, err := m.setContents(spec, refuse); err != nil {
		return m, err
	}
	return m, m.setKeep(o, opt.keeps(name))
}

// fixSizes fills in what definitions leave to the loader, and to a machine that
// sets the size.
func (m *mapPlan) fixSizes(sized bool, refuse func(string, ...any) (*mapPlan, error)) error {
	const maxRing = 1 << 31
	switch m.typ {
	case bpfabi.MapRingBuf, bpfabi.MapUserRingBuf:
		if m.maxEntries == 0 && sized {
			return nil
		}
		if m.maxEntries == 0 || m.maxEntries > maxRing {
			_, err := refuse("max_entries %d is no size of a ring buffer", m.maxEntries)
			return err
		}
		m.maxEntries = max(ringPage, uint32(1)<<bits.Len32(m.maxEntries-1))
	case bpfabi.MapPerfEventArray:
		if m.maxEntries == 0 {
			m.maxEntries, m.perCPU = maxCPUs, true
		}
		m.keySize, m.valueSize = 4, 4
	case bpfabi.MapProgArray, bpfabi.MapCgroupArray:
		m.keySize, m.valueSize = 4, 4
	}
	if m.maxEntries == 0 && !m.sizeless() && !sized {
		_, err := refuse("max_entries is not set: its own loader would choose it at run time; --tunable %s.max_entries=MIN..MAX lets the machine choose", m.name)
		return err
	}
	return nil
}

// sizeless reports whether maps of this type have no max_entries.
func (m *mapPlan) sizeless() bool {
	switch m.typ {
	case bpfabi.MapCgroupStorage, bpfabi.MapPerCPUCgroupStorage, bpfabi.MapSkStorage, bpfabi.MapInodeStorage,
		bpfabi.MapTaskStorage, bpfabi.MapCgrpStorage:
		return true
	}
	return false
}

// setTypes finds the numbers of key and value type. Map types for which the
// kernel takes none (map_check_btf has no callback) go without.
func (m *mapPlan) setTypes(o *object, spec *ebpf.MapSpec) {
	switch m.typ {
	case bpfabi.MapPerfEventArray, bpfabi.MapCgroupArray, bpfabi.MapStackTrace, bpfabi.MapArrayOfMaps, bpfabi.MapHashOfMaps,
		bpfabi.MapDevMap, bpfabi.MapDevMapHash, bpfabi.MapCPUMap, bpfabi.MapXSKMap, bpfabi.MapSockMap, bpfabi.MapSockHash,
		bpfabi.MapQueue, bpfabi.MapStack, bpfabi.MapRingBuf, bpfabi.MapUserRingBuf, bpfabi.MapBloomFilter:
		return
	}
	if o.btf == nil || spec.Value == nil {
		return
	}
	value, err := o.spec.Types.TypeID(spec.Value)
	if err != nil || value == 0 || int64(value) >= int64(len(o.btf.types)) {
		return
	}
	if _, data := spec.Value.(*btf.Datasec); data {
		if o.btf.types[value].kind() == kindDatasec {
			m.btfValue = uint32(value)
		}
		return
	}
	if spec.Key == nil {
		return
	}
	key, err := o.spec.Types.TypeID(spec.Key)
	if err != nil || key == 0 {
		return
	}
	m.btfKey, m.btfValue = uint32(key), uint32(value)
}

// setContents takes over the initial contents.
func (m *mapPlan) setContents(spec *ebpf.MapSpec, refuse func(string, ...any) (*mapPlan, error)) (*mapPlan, error) {
	if len(spec.Contents) == 0 {
		return m, nil
	}
	if strings.HasPrefix(m.name, ".") {
		data, ok := spec.Contents[0].Value.([]byte)
		if !ok || len(spec.Contents) != 1 || uint32(len(data)) != m.valueSize {
			return refuse("its contents are not one value of %d bytes", m.valueSize)
		}
		if m.typ != bpfabi.MapArray {
			return refuse("initial contents of a %s map: their size depends on the machine", m.typ)
		}
		m.zeroes = data
		if slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) {
			m.data = data
		}
		return m, nil
	}
	if m.typ != bpfabi.MapProgArray && m.inner == nil {
		return refuse("initial contents of a %s map", m.typ)
	}
	for _, kv := range spec.Contents {
		key, ok := kv.Key.(uint32)
		ref, ok2 := kv.Value.(string)
		if !ok || !ok2 || m.keySize != 4 {
			return refuse("initial contents with a key that is not four bytes")
		}
		m.entries = append(m.entries, mapEntry{key: binary.LittleEndian.AppendUint32(nil, key), ref: ref})
	}
	slices.SortStableFunc(m.entries, func(a, b mapEntry) int {
		return int(int64(binary.LittleEndian.Uint32(a.key)) - int64(binary.LittleEndian.Uint32(b.key)))
	})
	return m, nil
}

// kernelName cuts a name to what the kernel stores, with the characters that it
// takes (kernel/bpf/syscall.c, bpf_obj_name_cpy).
func kernelName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.') {
			b[i] = '_'
		}
	}
	if len(b) > bpfabi.NameSize-1 {
		b = b[:bpfabi.NameSize-1]
	}
	return string(b)
}
