//go:build soak

package vmtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// compiledFixtures are those that every compiler is given: maps and globals, CO-RE
// in an LSM program, functions of all kinds, every question of CO-RE, and what
// only new compilers know.
var compiledFixtures = []string{"xdpcount", "fileguard", "subprogs", "core", "modern"}

// refusedByCompilers are the fixtures that compilers do not take, with a part of
// what they say. It is the compiler's doing: no loader sees an object of it.
var refusedByCompilers = map[string]string{
	"clang-14/core": "Incorrect flag for llvm.bpf.preserve.type.info intrinsic", // whether types match came with clang 15
}

// refusedByKernels are those that they take and kernels do not, with a part of what
// tbpf says.
var refusedByKernels = map[string]string{
	"clang-14/modern": `program "references"`, // the tags of types that say what a map holds came with clang 15
}

// TestObjectsOfEveryCompiler signs and loads what clang 14 to 22 and GCC make of
// our fixtures. They are several hundred megabytes of packages, some of sid, which
// is another system every day: so this is not a test of every change.
func TestObjectsOfEveryCompiler(t *testing.T) {
	for _, kernel := range []vmtest.Kernel{"6.12", "7.3"} {
		vmtest.Require(t, kernel)
	}
	dir := t.TempDir()
	tbpf := filepath.Join(dir, "tbpf")
	if err := vmtest.Build(t.Context(), tbpf, module+"cmd/tbpf"); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	compilers := run(filepath.Join("..", "..", "scripts", "compilers"), append([]string{dir}, compiledFixtures...)...)
	run(tbpf, "keygen", "--name", "suite", "--no-password", "--out", dir)
	key, cert := filepath.Join(dir, "suite.key"), filepath.Join(dir, "suite.crt")

	files := vmtest.Files{"/bin/tbpf": {Host: tbpf}, "suite.crt": {Host: cert}}
	var steps []vmtest.Step
	var names []string
	for line := range strings.Lines(compilers) {
		compiler, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			t.Errorf("compiler %q did not say its version", compiler)
		}
		t.Logf("%s is %s", compiler, version)
		for _, fixture := range compiledFixtures {
			name := compiler + "/" + fixture
			object := filepath.Join(dir, compiler, fixture+".bpf.o")
			if said, err := os.ReadFile(filepath.Join(dir, compiler, fixture+".refused")); err == nil {
				if want, known := refusedByCompilers[name]; !known || !strings.Contains(string(said), want) {
					t.Errorf("%s: %s", name, said)
				}
				continue
			}
			if _, known := refusedByCompilers[name]; known {
				t.Errorf("%s was compiled", name)
			}
			sealed := "sealed-" + compiler + "-" + fixture
			run(tbpf, "sign", object, "--key", key, "--cert", cert, "--name", compiler+"-"+fixture, "-o", filepath.Join(dir, sealed))
			files[sealed] = vmtest.File{Host: filepath.Join(dir, sealed)}
			names = append(names, name)
			steps = append(steps, vmtest.Step{
				Args:    []string{"tbpf", "load", sealed, "--keyring", "suite.crt", "--kernel-verify", "if-available", "--pin", "/sys/fs/bpf/tbpf"},
				Timeout: time.Minute,
			}, vmtest.Step{Args: []string{"tbpf", "unload", compiler + "-" + fixture, "--pin", "/sys/fs/bpf/tbpf"}, Timeout: time.Minute})
		}
	}
	if len(names) < 30 {
		t.Errorf("only %d objects were compiled", len(names))
	}
	for _, kernel := range []vmtest.Kernel{"6.12", "7.3"} {
		t.Run(string(kernel), func(t *testing.T) {
			result := vmtest.Boot(t, vmtest.Machine{Kernel: kernel, Files: files, Timeout: 15 * time.Minute, Steps: steps})
			for i, name := range names {
				s, want := result.Steps[2*i], refusedByKernels[name]
				switch {
				case want == "" && s.Code != 0:
					t.Errorf("%s: exit %d\n%s", name, s.Code, s.Stderr)
				case want != "" && (s.Code != 21 || !strings.Contains(string(s.Stderr), want)):
					t.Errorf("%s: exit %d, and not 21 for %s\n%s", name, s.Code, want, s.Stderr)
				}
			}
		})
	}
}
