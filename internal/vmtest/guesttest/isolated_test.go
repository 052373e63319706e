//go:build vmguest

package guesttest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/fixture/observe"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/loader/worker"
	"github.com/trustedbpf/tbpf/verify"
)

// isolated loads a sealed file in a worker.
func isolated(t *testing.T, name string, change func(*loader.Options)) (*loader.Loaded, error) {
	t.Helper()
	ring, err := keys.LoadKeyring([]string{"keys/suite.crt"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(sealedPath(name))
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.Bytes(file, verify.Options{Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	opt := loader.Options{Trusted: ring, Isolate: true, KernelVerify: loader.IfAvailable, Timeout: time.Minute}
	if _, signed := profiles[kernel(t)]; signed {
		opt.KernelVerify = loader.Required
	}
	if change != nil {
		change(&opt)
	}
	return loader.Load(v, opt)
}

// TestWorkersLoadEveryFixture loads every fixture in a worker, which has no
// more than the manifest lists, and sees that it does what it is for: what the
// loader program attached, and what the broker did.
func TestWorkersLoadEveryFixture(t *testing.T) {
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	matrix := readMatrix(t)
	for i := range set.Fixtures {
		f := &set.Fixtures[i]
		t.Run(f.Name, func(t *testing.T) {
			before := everything(t)
			want := matrix[f.Name][kernel(t)]
			switch {
			case kernel(t) == "6.1" && want == loads:
				expectRefusal(t, f, loader.Unsupported, "no-tokens", "6.9")
			case slices.Contains(manifestOf(t, f.Name).Capabilities, "CAP_SYSLOG"):
				expectRefusal(t, f, loader.Permission, "capability-outside-namespaces", "CAP_SYSLOG")
			case kernel(t) == "6.1":
				expectRefusal(t, f, loader.Unsupported, "", "") // for this or for that
			case want != loads:
				expectRefusal(t, f, loader.Unsupported, "", want)
			default:
				testIsolated(t, set, f)
			}
			expectSame(t, before)
		})
	}
}

func testIsolated(t *testing.T, set *fixture.Set, f *fixture.Fixture) {
	cgroup, err := os.MkdirTemp("/sys/fs/cgroup", f.Name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := isolated(t, f.Name, func(opt *loader.Options) { opt.Attach = places(f, cgroup) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	report := l.Report()
	profile, signed := profiles[kernel(t)]
	want := "unsigned"
	if signed {
		want = profile.String()
	}
	if report.Profile != want || report.KernelVerified != signed || !report.Token {
		t.Errorf("profile %s, kernel verified %v, token %v", report.Profile, report.KernelVerified, report.Token)
	}
	loaded := reach(set, f, loadResult{Report: report})
	loaded.Link = heldLink(report, loaded.Link)
	if err := observe.Fixture(f, loaded, observe.Machine{Dir: t.TempDir(), Cgroup: cgroup}); err != nil {
		t.Error(err)
	}
	checkBroker(t, report, f.Attach)
}

// heldLink is for links that the report does not show because the kernel has
// none for them.
func heldLink(report loader.Report, open func(string) (link.Link, error)) func(string) (link.Link, error) {
	return func(program string) (link.Link, error) {
		if !slices.ContainsFunc(report.Links, func(l loader.LinkReport) bool { return l.Program == program }) {
			return nil, errors.New("no link of " + program)
		}
		return open(program)
	}
}

// checkBroker makes sure that what only the broker can attach is attached, if there
// is a target: one that is signed or one of the machine's.
func checkBroker(t *testing.T, report loader.Report, attach map[string]string) {
	t.Helper()
	for _, p := range manifestOf(t, report.Name).Programs {
		if p.Attach.By != "broker" {
			continue
		}
		i := slices.IndexFunc(report.Programs, func(r loader.ProgramReport) bool { return r.Name == p.Name })
		if _, named := attach[p.Name]; p.Attach.Input != "" && !named {
			if i < 0 || report.Programs[i].Attached != "" {
				t.Errorf("%s is attached to something that nobody named: %+v", p.Name, report.Programs)
			}
			continue
		}
		if i < 0 || !report.Programs[i].Skipped && report.Programs[i].Attached != "broker" {
			t.Errorf("%s is not attached by the broker: %+v", p.Name, report.Programs)
		}
	}
}

// places are a fixture's attach targets on this machine.
func places(f *fixture.Fixture, cgroup string) map[string]string {
	attach := make(map[string]string)
	for program, target := range f.Attach {
		attach[program] = strings.NewReplacer("{interface}", "lo", "{cgroup}", cgroup, "{netns}", "/proc/self/ns/net").Replace(target)
	}
	return attach
}

// expectRefusal loads a fixture that a worker cannot load.
func expectRefusal(t *testing.T, f *fixture.Fixture, verdict loader.Verdict, reason, text string) {
	t.Helper()
	l, err := isolated(t, f.Name, nil)
	if err == nil {
		t.Error("it was loaded", l.Close())
		return
	}
	var refused *loader.Error
	if !errors.As(err, &refused) || refused.Verdict() != verdict || reason != "" && refused.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("%v (%+v), want %s %s %q", err, refused, verdict, reason, text)
	}
}

// everything lists what a load could leave in the kernel: ids, and workers.
func everything(t *testing.T) []string {
	t.Helper()
	var all []string
	list := func(what string, next func(uint32) (uint32, error)) {
		for id := uint32(0); ; {
			var err error
			if id, err = next(id); errors.Is(err, os.ErrNotExist) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s %d", what, id))
		}
	}
	list("program", func(id uint32) (uint32, error) {
		next, err := ebpf.ProgramGetNextID(ebpf.ProgramID(id))
		return uint32(next), err
	})
	list("map", func(id uint32) (uint32, error) {
		next, err := ebpf.MapGetNextID(ebpf.MapID(id))
		return uint32(next), err
	})
	iterator := new(link.Iterator)
	defer iterator.Close()
	for iterator.Next() {
		all = append(all, fmt.Sprintf("link %d", iterator.ID))
	}
	if err := iterator.Err(); err != nil {
		t.Fatal(err)
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		if name, err := os.ReadFile("/proc/" + p.Name() + "/cmdline"); err == nil && strings.HasPrefix(string(name), worker.Name) {
			all = append(all, "worker "+p.Name())
		}
	}
	return all
}

// expectSame waits until there is nothing that was not there before. The kernel
// frees what goes a little later.
func expectSame(t *testing.T, before []string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := slices.DeleteFunc(everything(t), func(one string) bool { return slices.Contains(before, one) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("still there: %s", strings.Join(left, ", "))
			return
		}
	}
}
