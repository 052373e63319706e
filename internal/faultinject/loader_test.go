//go:build linux && amd64 && !vmguest

package faultinject_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

const module = "github.com/trustedbpf/tbpf/"

// TestFaults lets tbpf-loader die, and its system calls fail, at points of a
// run. The short form tries a few points of each kind on the newest kernel;
// TBPF_LONG=1 tries every point, there and on the kernel that has no tokens.
func TestFaults(t *testing.T) {
	kernels, points, timeout := []vmtest.Kernel{"7.3"}, "4", 10*time.Minute
	if os.Getenv("TBPF_LONG") != "" {
		kernels, points, timeout = []vmtest.Kernel{"7.3", "6.1"}, "0", 12*time.Hour
	}
	for _, kernel := range kernels {
		vmtest.Require(t, kernel)
	}
	dir := signed(t)
	for _, kernel := range kernels {
		t.Run(string(kernel), func(t *testing.T) {
			t.Parallel()
			readable := func(name string) vmtest.File {
				return vmtest.File{Host: filepath.Join(dir, name), Mode: 0o644}
			}
			text := func(lines string) vmtest.File { return vmtest.File{Data: []byte(lines), Mode: 0o644} }
			vmtest.RunTests(t, vmtest.Machine{Kernel: kernel, Timeout: timeout, Files: vmtest.Files{
				"/bin/tbpf-loader":                      {Host: vmtest.Static(t, module+"cmd/tbpf-loader")},
				"/bin/faults":                           {Host: vmtest.GuestTests(t, module+"internal/faultinject")},
				"/etc/tbpf/keyring.d/suite.crt":         readable("suite.crt"),
				"/usr/lib/tbpf/boot/fileguard.bpf.tbpf": readable("fileguard.bpf.tbpf"),
				"/etc/tbpf/policy.toml":                 text(policyFor(kernel)),
				"/etc/tbpf/boot.d/10-fileguard.toml":    text("name = \"fileguard\"\nfile = \"/usr/lib/tbpf/boot/fileguard.bpf.tbpf\"\nimportance = \"critical\"\ntimeout = 20\n"),
			}}, []string{"TBPF_FAULT_POINTS=" + points}, "/bin/faults")
		})
	}
}

// policyFor asks for the kernel's own check where the kernel has one.
func policyFor(kernel vmtest.Kernel) string {
	if kernel == "6.1" {
		return "kernel-verify = \"if-available\"\n"
	}
	return "kernel-verify = \"required\"\n"
}

// signed makes a key and signs the object of the boot set with it.
func signed(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	tbpf := vmtest.Static(t, module+"cmd/tbpf")
	object, err := os.ReadFile(filepath.Join("..", "..", "testdata", "fileguard.bpf.o"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "fileguard.bpf.o"), object, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"keygen", "--name", "suite", "--no-password", "--out", "."},
		{"sign", "--key", "suite.key", "--cert", "suite.crt", "fileguard.bpf.o"},
	} {
		cmd := exec.Command(tbpf, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tbpf %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return dir
}
