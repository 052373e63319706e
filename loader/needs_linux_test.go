package loader

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

func TestReleasesAreCompared(t *testing.T) {
	for _, c := range []struct {
		release, than string
		older         bool
	}{
		{"6.12.107+deb13", "5.17", false},
		{"6.12.107+deb13", "6.12", false},
		{"6.12.107+deb13", "6.13", true},
		{"6.9", "6.12", true},
		{"7.3.4-1~bpo13+1", "6.18", false},
		{"10.0", "7.3", false},
		{"5.16.99", "5.17", true},
		{"6.12-rc1", "6.12", false},
		// What cannot be read is no reason to go on.
		{"", "5.17", true}, {"6", "5.17", true}, {"x.y", "5.17", true}, {"-1.2", "0.1", true},
		{"6.12", "", true}, {"6.12", "6", true}, {"6.12", "six.one", true}, {"6", "6.0", true}, {"6x", "5.17", true},
	} {
		if got := older(c.release, c.than); got != c.older {
			t.Errorf("%q older than %q: %v", c.release, c.than, got)
		}
	}
}

func TestNeedsAreCheckedByName(t *testing.T) {
	here, err := thisMachine()
	if err != nil {
		t.Fatal(err)
	}
	good := manifest.Manifest{Architecture: here.arch, ByteOrder: nativeByteOrder(), Kernel: manifest.KernelNeeds{
		Minimum: "5.17", Needs: []manifest.Need{{Feature: "map type hash", Since: "3.19"}}}}
	if err := here.checkNeeds(&good); err != nil {
		t.Errorf("good: %v", err)
	}
	for reason, change := range map[string]func(*manifest.Manifest){
		"wrong-architecture": func(m *manifest.Manifest) { m.Architecture = "riscv64" },
		"wrong-byte-order":   func(m *manifest.Manifest) { m.ByteOrder = "middle" },
		"kernel-too-old":     func(m *manifest.Manifest) { m.Kernel.Minimum = "99.0" },
	} {
		m := good
		change(&m)
		mustRefuse(t, here.checkNeeds(&m), Unsupported, reason)
	}
	m := good
	m.Kernel.Needs = []manifest.Need{{Feature: "map type flux", Since: "99.1"}}
	e := mustRefuse(t, here.checkNeeds(&m), Unsupported, "kernel-too-old")
	if !strings.Contains(e.Error(), "map type flux") || !strings.Contains(e.Error(), "99.1") {
		t.Errorf("%v", e)
	}
}

// A30: where nobody calls LSM programs, or that cannot be seen, they are not
// loaded; likewise without the kernel's types.
func TestWhatCannotBeSeenIsMissing(t *testing.T) {
	here, err := thisMachine()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	m := manifest.Manifest{Architecture: "any", ByteOrder: nativeByteOrder(), Kernel: manifest.KernelNeeds{Minimum: "5.17", LSM: true, BTF: true}}
	here.types, here.lsms = file("types", ""), file("lsm", "lockdown,capability,landlock,bpf\n")
	if err := here.checkNeeds(&m); err != nil {
		t.Errorf("all of it is there: %v", err)
	}
	for list, reason := range map[string]string{
		"": "no-bpf-lsm", "lockdown,capability": "no-bpf-lsm", "bpfilter": "no-bpf-lsm", "lockdown bpf": "no-bpf-lsm", "-": "no-securityfs",
	} {
		here.lsms = file("lsm", list)
		if list == "-" {
			here.lsms = filepath.Join(dir, "missing")
		}
		mustRefuse(t, here.checkNeeds(&m), Unsupported, reason)
	}
	here.lsms = dir
	mustRefuse(t, here.checkNeeds(&m), Failed, "lsm-list-unreadable")
	here.types = filepath.Join(dir, "missing")
	mustRefuse(t, here.checkNeeds(&m), Unsupported, "no-btf")
}
