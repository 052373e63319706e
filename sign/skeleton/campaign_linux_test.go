package skeleton

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/identity"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/mutant"
)

// maxMapMemory bounds the maps of a mutant, in bytes: some ask for gigabytes.
const maxMapMemory = 32 << 20

// campaign loads mutants of objects on this machine's own kernel, each by
// cilium/ebpf and by its loader program, and attaches none.
type campaign struct {
	symbols *identity.Symbols
	states  bool
	mutants bool // and no longer objects as they are
	tally   map[string]int
}

// TestMutantsLoadAsTheManifestSays: whatever the verifier accepts of what a
// loader program loads is what the object has and the manifest says. With
// TBPF_LONG=1 thousands of mutants, and TBPF_SEED begins another series.
func TestMutantsLoadAsTheManifestSays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root loads programs")
	}
	symbols, err := identity.ReadSymbols()
	if errors.Is(err, identity.ErrHidden) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	count, limit, largest := 300, 10*time.Second, 24<<10
	if os.Getenv("TBPF_LONG") != "" {
		count, limit, largest = 5000, 30*time.Minute, maxSeed
	}
	first, err := strconv.ParseUint("0"+os.Getenv("TBPF_SEED"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	c := &campaign{symbols: symbols, tally: make(map[string]int)}
	if err := identity.SeesStates(); err != nil {
		t.Logf("expected attach types and flags are not compared here: %v", err)
	} else {
		c.states = true
	}
	objects := slices.DeleteFunc(seeds(t), func(object []byte) bool { return len(object) > largest })
	// Objects as they are come first: they must be worth changing.
	var loadable [][]byte
	for _, object := range objects {
		before := c.tally["loaded both"]
		c.try(t, "an object as it is", object)
		if c.tally["loaded both"] > before {
			loadable = append(loadable, object)
		}
	}
	if len(loadable) == 0 {
		t.Fatalf("this kernel loads none of the objects: %v", c.tally)
	}
	t.Logf("of %d objects as they are: %v", len(objects), c.tally)
	c.tally, c.mutants = make(map[string]int), true
	began := time.Now()
	for i := range count {
		if time.Since(began) > limit {
			t.Logf("stopped after %d", i)
			break
		}
		random := rand.New(rand.NewPCG(first, uint64(i)))
		which := random.IntN(len(loadable))
		how := make([]byte, 48)
		for k := range how {
			how[k] = byte(random.Uint32())
		}
		if object := mutant.Mutate(loadable[which], how); object != nil {
			c.try(t, fmt.Sprintf("seed %d, mutant %d", first, i), object)
		}
		if i%64 == 0 {
			runtime.GC() // cilium/ebpf maps data sections into memory, and unmaps them so
		}
	}
	for _, what := range slices.Sorted(maps.Keys(c.tally)) {
		t.Logf("%6d %s", c.tally[what], what)
	}
	if c.tally["loaded both"] == 0 {
		t.Error("no mutant was loaded")
	}
}

// try loads one object both ways, and compares.
func (c *campaign) try(t *testing.T, what string, object []byte) {
	t.Helper()
	s, err := Generate(object, Options{})
	if err != nil {
		c.tally["refused by sign"]++
		return
	}
	if why := unfit(&s.Manifest); why != "" {
		c.tally["not tried: "+why]++
		return
	}
	source, err := identity.ReadSource(object)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	bare, errBare := c.loadBare(source.Collection())
	sealed, errSealed := c.loadSealed(s)
	kept := func() {
		dir := filepath.Join(os.TempDir(), "tbpf-mutants")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, strings.ReplaceAll(strings.ReplaceAll(what, " ", "-"), ",", "")+".o")
		if err := os.WriteFile(path, object, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s is %s", what, path)
	}
	var failed *kernelload.Error
	if errSealed != nil && !errors.As(errSealed, &failed) {
		t.Errorf("%s: %v", what, errSealed)
		kept()
		return
	}
	if failed != nil && failed.Step != kernelload.StepInside {
		t.Errorf("%s: the loader program itself was refused: %v", what, errSealed)
		kept()
		return
	}
	switch {
	case errSealed != nil && errBare != nil:
		c.tally["loaded neither"]++
		return
	case errSealed != nil:
		c.tally["loaded bare only"]++
		if os.Getenv("TBPF_WHY") != "" {
			t.Logf("%s: bare only: %v", what, errSealed)
			kept()
		}
		return
	case errBare != nil:
		c.tally["loaded sealed only"]++
		if os.Getenv("TBPF_WHY") != "" {
			t.Logf("%s: sealed only: %v", what, errBare)
			kept()
		}
	default:
		c.tally["loaded both"]++
		c.withoutTypes(s, bare, sealed)
		if list := identity.Compare(bare, sealed, c.symbols, nil); len(list) > 0 {
			t.Errorf("%s: %s", what, strings.Join(list, "\n\t"))
			kept()
		}
	}
	given, err := identity.Given(&s.Manifest, s.Metadata)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		kept()
		return
	}
	for name, p := range sealed.Programs {
		switch err := identity.CheckTag(p.Tag, given[name], name, source, c.symbols); {
		case errors.Is(err, identity.ErrUnknown):
			c.tally["programs whose tag cannot be foretold"]++
		case err != nil:
			t.Errorf("%s: program %q: %v", what, name, err)
			kept()
		default:
			c.tally["programs with the tag of what was signed"]++
		}
	}
	for _, wrong := range identity.Describes(&s.Manifest, sealed) {
		t.Errorf("%s: %s", what, wrong)
		kept()
	}
}

// withoutTypes takes the types of data sections out of the bare load where the
// loader program gives none: of a section of which the object has no symbol for a variable
// that its types name. Types of data sections are for who reads the map. They stay
// where an object is whole, and are compared there.
func (c *campaign) withoutTypes(s *Skeleton, bare, sealed *identity.Object) {
	for i := range s.Manifest.Maps {
		name := s.Manifest.Maps[i].Name
		if b, l := bare.Maps[name], sealed.Maps[name]; strings.HasPrefix(name, ".") && c.mutants && b != nil && l != nil && l.Value == "" && b.Value != "" {
			c.tally["data sections without types"]++
			b.Value = ""
		}
	}
}

// unfit says why a mutant is not loaded here: a loader program that attaches
// would do so on the machine that tests, and some maps are huge.
func unfit(m *manifest.Manifest) string {
	for i := range m.Programs {
		if p := &m.Programs[i]; p.Attach.By == byKernel && p.Attach.Input == "" {
			return "it attaches"
		}
	}
	var memory uint64
	for i := range m.Maps {
		mp := &m.Maps[i]
		if mp.StructOps != nil {
			return "it attaches"
		}
		for ; mp != nil; mp = mp.InnerMap {
			each := uint64(mp.KeySize) + uint64(mp.ValueSize) + 64
			if strings.Contains(mp.Type, "percpu") {
				each += uint64(mp.ValueSize) * uint64(runtime.NumCPU())
			}
			if strings.Contains(mp.Type, "ringbuf") {
				each = 1
			}
			memory += each * max(1, uint64(mp.MaxEntries))
			if memory > maxMapMemory || each > maxMapMemory {
				return "its maps are large"
			}
		}
	}
	return ""
}

func (c *campaign) loadBare(spec *ebpf.CollectionSpec) (*identity.Object, error) {
	if spec == nil {
		return nil, errors.New("cilium/ebpf cannot read it")
	}
	spec = spec.Copy()
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinNone
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, err
	}
	defer coll.Close()
	d := identity.Descriptors{Programs: make(map[string]int), Maps: make(map[string]int)}
	for name, p := range coll.Programs {
		d.Programs[name] = p.FD()
	}
	for name, m := range coll.Maps {
		d.Maps[name] = m.FD()
	}
	return identity.Read(d, c.states)
}

func (c *campaign) loadSealed(s *Skeleton) (*identity.Object, error) {
	m := &s.Manifest
	settings := kernelload.Settings{ContextSize: m.Context, Inputs: make(map[int]int32)}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	for i := range m.Maps {
		settings.Outputs = append(settings.Outputs, m.Maps[i].Slot)
		if m.Maps[i].PerCPU {
			settings.Inputs[m.Maps[i].Slot+1] = int32(cpus)
		}
	}
	for i := range m.Programs {
		settings.Outputs = append(settings.Outputs, m.Programs[i].Slot)
	}
	payload := kernelload.Payload{Profile: bpfabi.Bound, Instructions: s.Loaders[bpfabi.Bound], Metadata: s.Metadata}
	var result *kernelload.Result
	if err := kernelload.OnThread(func() (err error) {
		result, err = kernelload.Try(payload, settings)
		return err
	}); err != nil {
		return nil, err
	}
	defer result.Close()
	d := identity.Descriptors{Programs: make(map[string]int), Maps: make(map[string]int)}
	for i := range m.Maps {
		d.Maps[m.Maps[i].Name] = result.FDs[m.Maps[i].Slot].Int()
	}
	for i := range m.Programs {
		if fd, ok := result.FDs[m.Programs[i].Slot]; ok {
			d.Programs[m.Programs[i].Name] = fd.Int()
		}
	}
	return identity.Read(d, c.states)
}
