//go:build vmguest

package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// shortForm are the fixtures whose delegations are taken apart in every run;
// with TBPF_LONG all are.
var shortForm = []string{"fileguard", "multi", "tailcall", "cgroupskb"}

// inWorker loads a fixture in a worker with a specification of the test's, and
// returns the slots that came back.
func inWorker(t *testing.T, s *sealed, spec Spec) (slots []int, err error) {
	err = job{behaviour: obey, spec: spec}.run(t, func(w *Worker) error {
		settings := s.settings
		fds, closeFDs, err := inputs(s.manifest, &settings)
		if err != nil {
			return err
		}
		defer closeFDs()
		result, err := w.Try(s.payload, settings, fds)
		if err != nil {
			return err
		}
		for slot := range result.FDs {
			slots = append(slots, slot)
		}
		return result.Close()
	})
	return slots, err
}

// inputs are the attach targets that the machine names: attaching a program to
// a control group takes more than loading it.
func inputs(m *manifest.Manifest, settings *kernelload.Settings) (fds map[int]bool, closeFDs func(), err error) {
	cgroup, err := unix.Open("/sys/fs/cgroup", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	fds, settings.Inputs = make(map[int]bool), make(map[int]int32)
	for i := range m.Maps {
		if m.Maps[i].PerCPU {
			settings.Inputs[m.Maps[i].Slot+1] = 1
		}
	}
	for i := range m.Programs {
		if a := &m.Programs[i].Attach; a.Input == "cgroup" {
			fds[a.InputSlot], settings.Inputs[a.InputSlot] = true, int32(cgroup)
		}
	}
	return fds, func() { unix.Close(cgroup) }, nil
}

// TestLeastDelegation: a worker with what the manifest lists loads the object;
// with one bit less of any mask, or one capability less, it does not.
func TestLeastDelegation(t *testing.T) {
	needTokens(t)
	paths, err := filepath.Glob("sealed/*.bpf.tbpf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		s := readSealed(t, path)
		t.Run(s.name, func(t *testing.T) { testLeast(t, s) })
	}
}

func testLeast(t *testing.T, s *sealed) {
	if os.Getenv("TBPF_LONG") == "" && !slices.Contains(shortForm, s.name) {
		t.Skip("only with TBPF_LONG")
	}
	var ungrantable *UngrantableError
	if _, err := parseCapabilities(s.manifest.Capabilities); errors.As(err, &ungrantable) {
		return // TestTypelessSymbolsAreRefused
	}
	slots, err := inWorker(t, s, s.spec())
	if err != nil {
		var failed *kernelload.Error
		if errors.As(err, &failed) && failed.Errno != unix.EPERM && failed.Step == kernelload.StepInside {
			t.Skipf("this kernel does not load it: %v", err)
		}
		t.Fatalf("with all that it lists: %v", err)
	}
	for what, less := range lesser(s, slots) {
		// Without CAP_PERFMON it is the verifier that says EACCES.
		if _, err := inWorker(t, s, less); !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
			t.Errorf("without %s: %v", what, err)
		}
	}
}

// lesser are specifications that each lack one thing which the programs that
// this kernel loaded need. What only skipped programs need is not among them.
func lesser(s *sealed, slots []int) map[string]Spec {
	needed := map[string]bool{"syscall": true, "cgroup_inet_ingress": true}
	skipped := false
	for i := range s.manifest.Programs {
		p := &s.manifest.Programs[i]
		if slices.Contains(slots, p.Slot) {
			needed[p.Type], needed[p.AttachType] = true, true
		} else {
			skipped = true
		}
	}
	specs := make(map[string]Spec)
	for part := range 4 {
		whole := s.spec()
		for i, name := range *delegationPart(&whole.Delegation, part) {
			if skipped && part >= 2 && !needed[name] {
				continue
			}
			less := s.spec()
			list := delegationPart(&less.Delegation, part)
			*list = slices.Delete(slices.Clone(*list), i, i+1)
			specs[fmt.Sprintf("%s (%d)", name, part)] = less
		}
	}
	for i, name := range s.manifest.Capabilities {
		if skipped {
			break
		}
		less := s.spec()
		less.Capabilities = slices.Delete(slices.Clone(less.Capabilities), i, i+1)
		specs[name] = less
	}
	return specs
}

func delegationPart(d *manifest.Delegation, part int) *[]string {
	return []*[]string{&d.Commands, &d.Maps, &d.Programs, &d.AttachTypes}[part]
}
