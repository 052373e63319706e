//go:build vmguest

package guesttest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/fixture/observe"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// initOnly lists fixtures that no token loads, with a part of what tbpf says
// when it refuses them with 22: the kernel asks for rights in the initial user
// namespace.
var initOnly = map[string]string{
	"ksym":        "CAP_SYSLOG",
	"kprobe":      "CAP_PERFMON",
	"kprobemulti": "CAP_PERFMON",
	"modules":     "CAP_SYS_ADMIN", // which module has a target is told to nobody else
	"progtypes":   "CAP_PERFMON",
	"sessions":    "CAP_PERFMON",
	"tracepoint":  "CAP_PERFMON",
	"uprobe":      "CAP_PERFMON",
}

// TestTokensAreEnough loads fixtures in a container that has nothing but a
// bpffs with the delegation which the manifest lists, and looks at what they
// do. Kernels before 6.9 have no tokens.
func TestTokensAreEnough(t *testing.T) {
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	matrix := readMatrix(t)
	for _, f := range set.Fixtures {
		if matrix[f.Name][kernel(t)] != loads || kernel(t) == "6.1" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			out := runContainer(t, f.Name, manifestOf(t, f.Name).Delegation)
			if refusal := initOnly[f.Name]; refusal == "" && out != "" {
				t.Error(out)
			} else if refusal != "" && (!strings.Contains(out, "exit 22") || !strings.Contains(out, refusal)) {
				t.Errorf("want exit 22 and %q: %s", refusal, out)
			}
		})
	}
}

// A delegation that lacks any of its parts is not enough: the manifest asks
// for no more than it needs.
func TestTokensWithLessAreNot(t *testing.T) {
	if kernel(t) == "6.1" {
		return // no tokens at all
	}
	whole := manifestOf(t, signedFixture).Delegation
	for part := range 4 {
		for i := range *delegationPart(&whole, part) {
			less := whole
			list := delegationPart(&less, part)
			missing := (*list)[i]
			*list = slices.Delete(slices.Clone(*list), i, i+1)
			if len(*list) == 0 {
				continue // the option cannot be empty
			}
			if out := runContainer(t, signedFixture, less); out == "" {
				t.Errorf("without %s it loads as well", missing)
			}
		}
	}
}

func delegationPart(d *manifest.Delegation, part int) *[]string {
	return []*[]string{&d.Commands, &d.Maps, &d.Programs, &d.AttachTypes}[part]
}

// container is what the process in the container does: it loads the fixture
// by its token and sees that it works.
func container(name string) error {
	bpffs, err := mountDelegated()
	if err != nil {
		return err
	}
	set, err := fixture.Load(testdata)
	if err != nil {
		return err
	}
	f := set.Find(name)
	args := append(tokenArguments(), "--bpffs", bpffs, "--pin", filepath.Join(bpffs, "pins"))
	result, err := load(sealedPath(name), args...)
	if err != nil {
		return err
	}
	if err := result.check(os.Getenv("TBPF_KERNEL")); err != nil {
		return err
	}
	if !result.Token {
		return errors.New("loaded without the token")
	}
	if !visible(f) {
		return nil
	}
	dir, err := os.MkdirTemp("", "observe")
	if err != nil {
		return err
	}
	return observe.Fixture(f, reachPins(set, f, filepath.Join(bpffs, "pins", result.Name)), observe.Machine{Dir: dir})
}

// visible tells whether the fixture's steps can be done in a container: who
// names a target needs rights over it, running a program by hand makes
// cilium/ebpf load others, and perf events are the initial namespace's.
func visible(f *fixture.Fixture) bool {
	return len(f.Attach) == 0 && f.Name != "perfbuf" &&
		!slices.ContainsFunc(f.Observe, func(s fixture.Step) bool { return s.Do == "run" })
}

func tokenArguments() []string {
	if _, signed := profiles[os.Getenv("TBPF_KERNEL")]; !signed {
		return []string{"--kernel-verify", "if-available"}
	}
	return nil
}

// reachPins opens what was loaded by its pins: ids are for the initial user
// namespace only.
func reachPins(set *fixture.Set, f *fixture.Fixture, dir string) observe.Loaded {
	return observe.Loaded{
		Object: set.Object(f),
		Map: func(name string) (*ebpf.Map, error) {
			name = strings.ReplaceAll(name, ".", "_") // a bpffs has no dots
			return ebpf.LoadPinnedMap(filepath.Join(dir, "maps", name), nil)
		},
		Program: func(name string) (*ebpf.Program, error) {
			return ebpf.LoadPinnedProgram(filepath.Join(dir, "programs", name), nil)
		},
		Link: func(program string) (link.Link, error) {
			return link.LoadPinnedLink(filepath.Join(dir, "links", program), nil)
		},
	}
}
