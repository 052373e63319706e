//go:build vmguest

package guesttest

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/fixture/observe"
)

const testdata = "testdata"

// loads is the matrix's word for an object that loads; anything else is a part
// of the need that the refusal must name.
const loads = "loads"

// TestFixtures loads every fixture through the command line and sees that it
// does what it is for, or that it is refused with 23 and the need that this
// kernel does not meet, as testdata/matrix.json says.
func TestFixtures(t *testing.T) {
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	matrix := readMatrix(t)
	for i := range set.Fixtures {
		f := &set.Fixtures[i]
		t.Run(f.Name, func(t *testing.T) {
			switch expected := matrix[f.Name][kernel(t)]; expected {
			case "":
				t.Errorf("testdata/matrix.json does not say whether it loads on %s", kernel(t))
			case loads:
				testLoads(t, set, f)
			default:
				testRefused(t, f, expected)
			}
		})
	}
}

// readMatrix reads which fixture loads on which kernel.
func readMatrix(t *testing.T) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile(testdata + "/matrix.json")
	if err != nil {
		t.Fatal(err)
	}
	var matrix map[string]map[string]string
	if err := json.Unmarshal(data, &matrix); err != nil {
		t.Fatal(err)
	}
	return matrix
}

// loadArguments are those of load that depend on kernel and fixture.
func loadArguments(kernel string, f *fixture.Fixture, cgroup string) []string {
	var args []string
	if _, signed := profiles[kernel]; !signed {
		args = append(args, "--kernel-verify", "if-available")
	}
	places := strings.NewReplacer("{interface}", "lo", "{cgroup}", cgroup, "{netns}", "/proc/self/ns/net")
	for program, target := range f.Attach {
		args = append(args, "--attach", program+"="+places.Replace(target))
	}
	return args
}

func testLoads(t *testing.T, set *fixture.Set, f *fixture.Fixture) {
	cgroup, err := os.MkdirTemp("/sys/fs/cgroup", f.Name)
	if err != nil {
		t.Fatal(err)
	}
	result, err := load(sealedPath(f.Name), append(loadArguments(kernel(t), f, cgroup), "--pin", pinDir)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := result.check(kernel(t)); err != nil {
		t.Fatal(err)
	}
	if err := observe.Fixture(f, reach(set, f, result), observe.Machine{Dir: t.TempDir(), Cgroup: cgroup}); err != nil {
		t.Error(err)
	}
	if a, err := tbpf("unload", "--pin", pinDir, result.Name); err != nil || a.code != 0 {
		t.Fatalf("unload: %v %v", err, a)
	}
	expectGone(t, result)
}

// reach opens what was loaded by the ids that load reported.
func reach(set *fixture.Set, f *fixture.Fixture, result loadResult) observe.Loaded {
	return observe.Loaded{
		Object: set.Object(f),
		Map: func(name string) (*ebpf.Map, error) {
			for _, m := range result.Maps {
				if m.Name == name {
					return ebpf.NewMapFromID(ebpf.MapID(m.ID))
				}
			}
			return nil, errors.New("load reported no map " + name)
		},
		Program: func(name string) (*ebpf.Program, error) {
			for _, p := range result.Programs {
				if p.Name == name {
					return ebpf.NewProgramFromID(ebpf.ProgramID(p.ID))
				}
			}
			return nil, errors.New("load reported no program " + name)
		},
		Link: func(program string) (link.Link, error) {
			for _, l := range result.Links {
				if l.Program == program {
					return link.NewFromID(link.ID(l.ID))
				}
			}
			return nil, errors.New("load reported no link of " + program)
		},
	}
}

// expectGone waits until no program or map of the object is in the kernel,
// which frees them a little later.
func expectGone(t *testing.T, result loadResult) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second) // grace periods are long on a busy machine
	for {
		left := remaining(result)
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("after unload there is still %s", left)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// remaining names one program or map that is still in the kernel.
func remaining(result loadResult) string {
	for _, p := range result.Programs {
		if p.Skipped {
			continue
		}
		if program, err := ebpf.NewProgramFromID(ebpf.ProgramID(p.ID)); err == nil {
			program.Close()
			return "program " + p.Name
		}
	}
	for _, m := range result.Maps {
		if kept, err := ebpf.NewMapFromID(ebpf.MapID(m.ID)); err == nil {
			kept.Close()
			return "map " + m.Name
		}
	}
	return ""
}

func testRefused(t *testing.T, f *fixture.Fixture, need string) {
	before := programs(t)
	result, err := load(sealedPath(f.Name), append(loadArguments(kernel(t), f, "/sys/fs/cgroup"), "--pin", pinDir)...)
	if err != nil {
		t.Fatal(err)
	}
	if result.code != 23 || result.Verdict != "unsupported" {
		t.Fatalf("want exit 23 and unsupported: %v", result.answer)
	}
	if !strings.Contains(result.Error, need) || !strings.Contains(result.stderr, need) {
		t.Errorf("the refusal does not name %q: %v", need, result.answer)
	}
	expectNothingNew(t, "the refusal", before)
}

// programs are the ids of the programs in the kernel.
func programs(t *testing.T) map[ebpf.ProgramID]bool {
	t.Helper()
	ids := make(map[ebpf.ProgramID]bool)
	for id := ebpf.ProgramID(0); ; ids[id] = true {
		next, err := ebpf.ProgramGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			return ids
		}
		if err != nil {
			t.Fatal(err)
		}
		id = next
	}
}

// expectNothingNew fails if the kernel has a program that it did not have
// before, and keeps it. That one of before is gone says nothing: the kernel
// frees what earlier tests took down when it finds the time.
func expectNothingNew(t *testing.T, what string, before map[ebpf.ProgramID]bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		kept := programs(t)
		maps.DeleteFunc(kept, func(id ebpf.ProgramID, _ bool) bool { return before[id] })
		if len(kept) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: programs %v are left", what, slices.Sorted(maps.Keys(kept)))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
