//go:build vmguest

package boottest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/trustedbpf/tbpf/internal/record"
)

// wholeSet is a boot set of five objects: LSM guard, LSM with kfuncs that
// follows pointers, XDP, tracing with a ring buffer, shared maps.
func wholeSet(t *testing.T) []string {
	object(t, 10, "fileguard-1", "fileguard", `importance = "critical"`)
	object(t, 20, "xdpcount-1", "xdpcount", "[attach]", `count_udp = "lo"`)
	object(t, 30, "ringbuf-1", "ringbuf")
	object(t, 40, "multi-1", "multi")
	object(t, 50, "pathwalk-1", "pathwalk", `kernel-min = "6.12"`)
	names := []string{"fileguard", "xdpcount", "ringbuf", "multi"}
	if tokens() {
		names = append(names, "pathwalk")
	}
	return names
}

// maxMemory is what the loader may have at most, in KiB. The aim is 15 MiB. It
// is missed on kernels that do not let their BTF be mapped: there the loader
// reads 5 MiB of it, and where it loads without workers it also has what they
// would.
func maxMemory() int {
	if signatures() {
		return 15 << 10
	}
	return 24 << 10
}

func TestABootSetIsLoadedAndASecondRunChangesNothing(t *testing.T) {
	machine(t)
	names := wholeSet(t)
	r := boot(t)
	r.want(t, 0, true)
	t.Logf("%d KiB", r.memory)
	if r.memory == 0 || r.memory > maxMemory() {
		t.Errorf("it took %d KiB of memory", r.memory)
	}
	if !tokens() && !strings.Contains(r.stdout, "pathwalk: skipped") {
		t.Errorf("%v", r)
	}
	first := make(map[string]*record.Object)
	for _, name := range names {
		o := recordOf(t, name)
		if o == nil {
			t.Fatalf("%s is not recorded: %v", name, r)
		}
		if o.Token != tokens() || o.KernelVerified != signatures() || o.Version != 1 || len(o.Signers) != 1 {
			t.Errorf("%s: %+v", name, o)
		}
		expectInKernel(t, o)
		first[name] = o
	}
	if m, err := ebpf.LoadPinnedMap(pinDir+"/fileguard/maps/counters", nil); err != nil {
		t.Error(err)
	} else {
		var opened, later uint64
		must(t, m.Lookup(uint32(0), &opened))
		read(t, "/proc/self/stat")
		must(t, m.Lookup(uint32(0), &later))
		if later <= opened {
			t.Errorf("the guard counts no opening: %d, %d", opened, later)
		}
		must(t, m.Close())
	}

	r = boot(t)
	r.want(t, 0, true, "fileguard: unchanged")
	if strings.Contains(r.stdout, ": loaded") || strings.Contains(r.stdout, ": replaced") {
		t.Errorf("%v", r)
	}
	for _, name := range names {
		o := recordOf(t, name)
		o.Time = first[name].Time
		if !bytes.Equal(o.Encode(), first[name].Encode()) {
			t.Errorf("%s changed:\n%s\n%s", name, first[name].Encode(), o.Encode())
		}
	}
}

// expectInKernel holds a record against the kernel.
func expectInKernel(t *testing.T, o *record.Object) {
	t.Helper()
	for _, p := range o.Programs {
		program, err := ebpf.NewProgramFromID(ebpf.ProgramID(p.ID))
		if err != nil {
			t.Errorf("%s: program %s: %v", o.Name, p.Name, err)
			continue
		}
		info, err := program.Info()
		must(t, err)
		since, ok := info.LoadTime()
		if info.Tag != p.Tag || !ok || uint64(since) != p.LoadTime {
			t.Errorf("%s: program %s has tag %s and load time %d", o.Name, p.Name, info.Tag, since)
		}
		must(t, program.Close())
		_, err = os.Stat(o.Pins + "/programs/" + p.Pin)
		must(t, err)
	}
	for _, l := range o.Links {
		attached, err := link.NewFromID(link.ID(l.ID))
		if err != nil {
			t.Errorf("%s: link of %s: %v", o.Name, l.Program, err)
			continue
		}
		info, err := attached.Info()
		must(t, err)
		if uint32(info.Program) != l.ProgramID {
			t.Errorf("%s: link %d runs program %d and not %d", o.Name, l.ID, info.Program, l.ProgramID)
		}
		must(t, attached.Close())
	}
	if len(o.Programs) == 0 {
		t.Errorf("%s: no program is recorded", o.Name)
	}
}

// What is not as it was recorded is put right: a pin that somebody removed, a
// record that is damaged or gone.
func TestASecondRunMends(t *testing.T) {
	for what, spoil := range map[string]func(){
		"a link is gone":        func() { must(t, os.Remove(pinDir+"/fileguard/links/guard_open")) },
		"a map's pin is gone":   func() { must(t, os.Remove(pinDir+"/fileguard/maps/counters")) },
		"the record is gone":    func() { must(t, os.Remove(record.Path+"/fileguard.record")) },
		"the record is damaged": func() { damage(t, record.Path+"/fileguard.record") },
		"the record is of another boot": func() {
			file := record.Path + "/fileguard.record"
			o, err := record.Decode(read(t, file))
			must(t, err)
			o.Boot = "another"
			must(t, os.WriteFile(file, o.Encode(), 0o600))
		},
	} {
		t.Run(what, func(t *testing.T) {
			machine(t)
			object(t, 10, "fileguard-1", "fileguard")
			boot(t).want(t, 0, true, "fileguard: loaded")
			spoil()
			boot(t).want(t, 0, true, "fileguard: replaced")
			expectInKernel(t, recordOf(t, "fileguard"))
			boot(t).want(t, 0, true, "fileguard: unchanged")
		})
	}
}

// What was recorded is no verdict: each run verifies by what holds now (A27).
func TestAnEarlierVerdictCountsForNothing(t *testing.T) {
	machine(t)
	object(t, 10, "fileguard-1", "fileguard", `importance = "optional"`)
	boot(t).want(t, 0, true)
	policy(t, "program-types = [\"xdp\"]\n", "")
	boot(t).want(t, 30, true, "does not allow programs of type lsm")
	policy(t, "", "")
	must(t, os.Remove(keyringDir+"/suite.crt"))
	boot(t).want(t, 30, true, "no signature is by a key of the keyring")
	if recordOf(t, "fileguard") == nil {
		t.Error("what is still there is no longer recorded")
	}
}

func TestLoadLoadsFiles(t *testing.T) {
	machine(t)
	file := object(t, 10, "ringbuf-1", "ringbuf")
	loader(t, "load", file).want(t, 0, false, "ringbuf, version 1: loaded")
	loader(t, "load", file).want(t, 0, false, "ringbuf, version 1: unchanged")
	damage(t, file)
	loader(t, "load", file).want(t, 11, false)
	loader(t, "load", objectDir+"/none").want(t, 1, false)
	for _, args := range [][]string{nil, {"load"}, {"boot", "x"}, {"load", "--keyring", "x", file}, {"boot", "--policy", "x"}, {"other"}} {
		loader(t, args...).want(t, 2, false, "--help")
	}
}
