package skeleton

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// What generating may take: far more than any object needs, and far less than a
// machine that signs has.
const (
	maxTime   = 10 * time.Second // of processors
	maxMemory = 1 << 30
)

// wellFormed generates a skeleton twice and looks at everything that must hold of
// every one: it is the same both times, it takes bounded time and memory, the
// manifest says what is in the metadata, and both say what cilium/ebpf reads in
// the object. Nil if the object is refused.
func wellFormed(t testing.TB, object []byte, opt Options) *Skeleton {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := processorTime(t)
	var hangs *time.Timer
	hangs = time.AfterFunc(2*maxTime, func() {
		if processorTime(t)-began > 2*maxTime {
			panic("Generate hangs")
		}
		hangs.Reset(2 * maxTime)
	})
	s, err := Generate(object, opt)
	hangs.Stop()
	took := processorTime(t) - began
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; took > maxTime || n > maxMemory {
		t.Errorf("Generate took %v and %d bytes", took, n)
	}
	again, errAgain := Generate(object, opt)
	if (err == nil) != (errAgain == nil) { // cilium/ebpf reads sections in no order, and names the first that is wrong
		t.Fatalf("%v, and then %v", err, errAgain)
	}
	if err != nil {
		if s != nil {
			t.Errorf("a skeleton with an error: %v", err)
		}
		return nil
	}
	if !reflect.DeepEqual(s, again) {
		t.Error("the same object gave two skeletons")
	}
	for _, insns := range s.Loaders {
		if len(insns)%8 != 0 || jumpsOut(insns) || !jumpsOut(insns[:8]) {
			t.Error("the loader program jumps out of itself, or its first instruction does not")
		}
	}
	if len(s.Loaders) != len(bpfabi.Profiles()) || len(s.Metadata)%8 != 0 || binary.LittleEndian.Uint64(s.Metadata) != 0 {
		t.Error("a profile is missing, or the metadata do not begin with zeroes")
	}
	saysWhatIsGiven(t, object, opt, s)
	saysWhatTheObjectHas(t, object, s)
	return s
}

// processorTime is what this process took so far: other things that the
// machine does meanwhile do not count.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// saysWhatIsGiven compares the manifest with the attributes that stand in the
// metadata.
func saysWhatIsGiven(t testing.TB, object []byte, opt Options, s *Skeleton) {
	t.Helper()
	o, err := parseObject(object)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(o, opt)
	if err != nil {
		t.Fatal(err)
	}
	img := newImage(p)
	le := binary.LittleEndian
	text := func(at int) string {
		b, _, _ := bytes.Cut(s.Metadata[at:], []byte{0})
		return string(b)
	}
	if len(s.Manifest.Programs) != len(p.progs) || len(s.Manifest.Maps) != len(p.maps) {
		t.Fatalf("%d programs and %d maps are listed, %d and %d loaded", len(s.Manifest.Programs), len(s.Manifest.Maps), len(p.progs), len(p.maps))
	}
	for i := range s.Manifest.Programs {
		m, at := &s.Manifest.Programs[i], img.prog[p.progs[i]]
		attr := s.Metadata[at.attr:][:progLoadLen]
		insns := s.Metadata[at.insns:][:8*le.Uint32(attr[progLoadInsnCount:])]
		sum := sha256.Sum256(insns)
		given := fmt.Sprintln(bpfabi.ProgramType(le.Uint32(attr[progLoadType:])), text(at.attr+progLoadName), hex.EncodeToString(sum[:]), len(insns), text(at.license))
		if said := fmt.Sprintln(m.Type, m.KernelName, m.Instructions.SHA256, m.Instructions.Length, m.License); given != said {
			t.Errorf("program %q: given %s, said %s", m.Name, given, said)
		}
		attach := ""
		if n := bpfabi.AttachType(le.Uint32(attr[progLoadAttachType:])); n != 0 || m.AttachType != "" {
			attach = n.String()
		}
		if attach != m.AttachType {
			t.Errorf("program %q: given %s, said %s", m.Name, attach, m.AttachType)
		}
		var flags uint32
		for _, flag := range m.Flags {
			flags |= map[string]uint32{"sleepable": bpfabi.ProgramFlagSleepable, "xdp-has-frags": bpfabi.ProgramFlagXDPHasFrags}[flag]
		}
		if given := le.Uint32(attr[progLoadFlags:]); given != flags {
			t.Errorf("program %q: given flags %#x, said %q", m.Name, given, m.Flags)
		}
	}
	for i := range s.Manifest.Maps {
		m, at := &s.Manifest.Maps[i], img.maps[p.maps[i]]
		mapAsSaid(t, m, s.Metadata[at.attr:][:mapCreateLen], text(at.attr+mapCreateName))
		if m.InnerMap != nil {
			inner := img.maps[p.maps[i].inner]
			mapAsSaid(t, m.InnerMap, s.Metadata[inner.attr:][:mapCreateLen], text(inner.attr+mapCreateName))
		}
		if m.Contents != nil && at.data != 0 {
			data := s.Metadata[at.data:][:m.Contents.Length]
			if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != m.Contents.SHA256 || uint64(m.ValueSize) != m.Contents.Length {
				t.Errorf("map %q: its contents are not those that the manifest has", m.Name)
			}
		}
	}
}

func mapAsSaid(t testing.TB, m *manifest.Map, attr []byte, name string) {
	t.Helper()
	le := binary.LittleEndian
	word := func(at int) uint32 { return le.Uint32(attr[at:]) }
	if m.StructOps != nil {
		return // its sizes are the running kernel's
	}
	given := fmt.Sprintln(bpfabi.MapType(word(mapCreateType)), name, word(mapCreateKeySize), word(mapCreateValueSize), word(mapCreateMaxEntries), word(mapCreateFlags), le.Uint64(attr[mapCreateExtra:]))
	if said := fmt.Sprintln(m.Type, m.KernelName, m.KeySize, m.ValueSize, m.MaxEntries, m.Flags, m.Extra); given != said {
		t.Errorf("map %q: given %s, said %s", m.Name, given, said)
	}
}

// saysWhatTheObjectHas compares the manifest with what cilium/ebpf reads in the
// object as it is. What it cannot read (see shown) is not compared.
func saysWhatTheObjectHas(t testing.TB, object []byte, s *Skeleton) {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return
	}
	programs := make(map[string]*manifest.Program)
	for i := range s.Manifest.Programs {
		programs[s.Manifest.Programs[i].Name] = &s.Manifest.Programs[i]
	}
	// What cilium/ebpf takes for a program, and is a function of others or only for
	// structures that nobody asked for; and what it does not find, a callback.
	o, err := parseObject(object)
	if err != nil {
		t.Fatal(err)
	}
	called := calledFunctions(o.spec)
	for name, p := range spec.Programs {
		if p.Type == ebpf.UnspecifiedProgram && called[name] || p.Type == ebpf.StructOps && o.unasked[name] {
			delete(spec.Programs, name)
		}
	}
	if len(programs) != len(spec.Programs) {
		t.Errorf("%d programs are listed, the object has %d", len(programs), len(spec.Programs))
	}
	for name, p := range spec.Programs {
		m := programs[name]
		if m == nil {
			t.Errorf("program %q is not listed", name)
			continue
		}
		var flags uint32
		for _, flag := range m.Flags {
			flags |= map[string]uint32{"sleepable": bpfabi.ProgramFlagSleepable, "xdp-has-frags": bpfabi.ProgramFlagXDPHasFrags}[flag]
		}
		typ, wantFlags, length := p.Type, p.Flags, m.Instructions.Length
		if typ == ebpf.UnspecifiedProgram { // of a kind that came later
			typ, wantFlags = o.spec.Programs[name].Type, o.spec.Programs[name].Flags
		}
		if _, more := o.callbacks[name]; more {
			length = min(length, insnBytes(p.Instructions))
		}
		has := fmt.Sprintln(bpfabi.ProgramType(typ), p.SectionName, p.License, wantFlags, insnBytes(p.Instructions))
		if said := fmt.Sprintln(m.Type, m.Section, m.License, flags, length); has != said {
			t.Errorf("program %q: the object has %s, said is %s", name, has, said)
		}
		if m.AttachType != "" && m.AttachType != bpfabi.AttachType(p.AttachType).String() || m.AttachType == "" && p.AttachType != 0 {
			t.Errorf("program %q: the object has attach type %v, said is %q", name, p.AttachType, m.AttachType)
		}
	}
	listed := 0
	for i := range s.Manifest.Maps {
		m := &s.Manifest.Maps[i]
		if m.StructOps != nil || strings.HasPrefix(m.Name, ".bss.") {
			continue // of another name there, or none
		}
		listed++
		if spec.Maps[m.Name] == nil {
			t.Errorf("map %q: the object has none", m.Name)
			continue
		}
		mapOfTheObject(t, spec.Maps[m.Name], m)
	}
	others := 0
	for name := range spec.Maps {
		if !strings.HasPrefix(name, ".struct_ops") && !strings.HasPrefix(name, ".bss.") && spec.Maps[name].Type != ebpf.StructOpsMap {
			continue
		}
		if !slices.ContainsFunc(s.Manifest.Maps, func(m manifest.Map) bool { return m.Name == name && m.StructOps == nil }) {
			others++
		}
	}
	if listed+others != len(spec.Maps) {
		t.Errorf("%d maps are listed, the object has %d", listed, len(spec.Maps))
	}
}

func insnBytes(insns asm.Instructions) uint64 {
	var n uint64
	for _, ins := range insns {
		n += uint64(ins.Width()) * 8
	}
	return n
}

func mapOfTheObject(t testing.TB, spec *ebpf.MapSpec, m *manifest.Map) {
	t.Helper()
	key, value, entries, flags := spec.KeySize, spec.ValueSize, spec.MaxEntries, spec.Flags
	switch spec.Type {
	case ebpf.RingBuf, ebpf.UserRingbuf: // rounded up to a power of two of whole pages
		if entries = 4096; spec.MaxEntries > 4096 {
			entries = 1 << bits.Len32(spec.MaxEntries-1)
		}
	case ebpf.PerfEventArray:
		if key, value = 4, 4; m.PerCPU && entries == 0 {
			entries = m.MaxEntries // the machine's
		}
	case ebpf.ProgramArray, ebpf.CGroupArray, ebpf.ArrayOfMaps, ebpf.HashOfMaps:
		if value = 4; spec.Type != ebpf.HashOfMaps && spec.Type != ebpf.ArrayOfMaps {
			key = 4
		}
	}
	extra := spec.MapExtra
	if spec.Type == ebpf.Arena && extra == 0 {
		extra = m.Extra // its own loader takes any
	}
	data := strings.HasPrefix(m.Name, ".")
	if data {
		flags |= bpfabi.MapFlagMmapable
	}
	has := fmt.Sprintln(bpfabi.MapType(spec.Type), key, value, entries, flags, extra)
	if said := fmt.Sprintln(m.Type, m.KeySize, m.ValueSize, m.MaxEntries, m.Flags, m.Extra); has != said {
		t.Errorf("map %q: the object has %s, said is %s", m.Name, has, said)
	}
	if !data {
		return
	}
	var contents []byte
	if len(spec.Contents) == 1 {
		contents, _ = spec.Contents[0].Value.([]byte)
	}
	if len(bytes.Trim(contents, "\x00")) == 0 {
		if m.Contents != nil {
			t.Errorf("map %q: the object has zeroes, said are contents", m.Name)
		}
		return
	}
	if want := blob(contents); m.Contents == nil || *m.Contents != want {
		t.Errorf("map %q: the object's contents are %+v, said are %+v", m.Name, want, m.Contents)
	}
}
