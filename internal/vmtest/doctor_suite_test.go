package vmtest_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// TestDoctor has `tbpf doctor` look at machines that are well and at machines
// that are not, on each kernel. The tests themselves are in internal/doctor.
func TestDoctor(t *testing.T) {
	for _, kernel := range vmtest.Kernels() {
		vmtest.Require(t, kernel)
	}
	files := doctorFiles(t)
	for _, kernel := range vmtest.Kernels() {
		t.Run(string(kernel), func(t *testing.T) {
			t.Parallel()
			vmtest.RunTests(t, vmtest.Machine{Kernel: kernel, Files: files, Timeout: 5 * time.Minute}, []string{"TBPF_KERNEL=" + string(kernel)}, "/bin/doctor")
		})
	}
	for _, test := range []struct {
		parameters string
		code       int
		want       map[string]string
		says       string
	}{
		{"lsm=lockdown,capability", 23, map[string]string{"lsm": "problem", "signatures": "ok"}, "boot with lsm=lockdown,capability,ima,evm,bpf"},
		{"lockdown=integrity", 0, map[string]string{"lsm": "ok", "lockdown": "ok"}, "integrity: "},
		{"lockdown=confidentiality", 0, map[string]string{"lsm": "ok", "lockdown": "limited", "signatures": "ok", "btf": "ok"}, "confidentiality: "},
	} {
		t.Run(test.parameters, func(t *testing.T) {
			t.Parallel()
			doctorBoot(t, files, test.parameters, test.code, test.want, test.says)
		})
	}
}

// doctorBoot boots 7.3 with parameters and a machine that is otherwise well.
func doctorBoot(t *testing.T, files vmtest.Files, parameters string, code int, want map[string]string, says string) {
	files = maps.Clone(files)
	files["/etc/tbpf/policy.toml"] = vmtest.File{Data: []byte("\n"), Mode: 0o644}
	files["/etc/tbpf/keyring.d/suite.crt"] = files["keys/suite.crt"]
	step := vmtest.Boot(t, vmtest.Machine{Kernel: "7.3", Files: files, Append: parameters,
		Steps: []vmtest.Step{{Args: []string{"tbpf", "doctor", "--json"}}}}).Steps[0]
	var page struct {
		Checks []struct{ ID, Status string }
	}
	if err := json.Unmarshal(step.Stdout, &page); err != nil {
		t.Fatalf("%v\n%s%s", err, step.Stdout, step.Stderr)
	}
	if step.Code != code || !strings.Contains(string(step.Stdout), says) {
		t.Errorf("exit code %d, want %d, and %q in\n%s", step.Code, code, says, step.Stdout)
	}
	for _, c := range page.Checks {
		if status, named := want[c.ID]; named && c.Status != status {
			t.Errorf("%s is %s, want %s", c.ID, c.Status, status)
		}
	}
}

// doctorFiles are the commands, and objects that are signed for some kernels
// only, or not by a trusted key, or not at all.
func doctorFiles(t *testing.T) vmtest.Files {
	t.Helper()
	dir := t.TempDir()
	files := vmtest.Files{"/bin/doctor": {Host: vmtest.GuestTests(t, module+"internal/doctor")}}
	for _, name := range []string{"tbpf", "tbpf-loader"} {
		out := filepath.Join(dir, name)
		if err := vmtest.Build(t.Context(), out, module+"cmd/"+name); err != nil {
			t.Fatal(err)
		}
		files["/bin/"+name] = vmtest.File{Host: out}
	}
	object, err := filepath.Abs(filepath.Join("..", "..", "testdata", "fileguard.bpf.o"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(dir, "tbpf"), args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tbpf %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, key := range []string{"suite", "other"} {
		run("keygen", "--name", key, "--no-password")
	}
	sign := func(file, name, key string, more ...string) {
		run(append([]string{"sign", object, "--key", key + ".key", "--cert", key + ".crt", "--name", name, "-o", file}, more...)...)
		files[file] = vmtest.File{Host: filepath.Join(dir, file), Mode: 0o644}
	}
	sign("all.tbpf", "whole", "suite")
	sign("stranger.tbpf", "stranger", "other")
	for _, profile := range []string{"bound", "selfcheck-excl", "selfcheck"} {
		sign(profile+".tbpf", profile, "suite", "--profile", profile)
	}
	files["bare.o"] = vmtest.File{Host: object, Mode: 0o644}
	files["keys/suite.crt"] = vmtest.File{Host: filepath.Join(dir, "suite.crt"), Mode: 0o644}
	return files
}
