package vmtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/vmtest"
)

const module = "github.com/trustedbpf/tbpf/"

// guestPackages have tests that need other kernels than this machine's, or
// that may run only where nobody else is disturbed (build tag vmguest).
var guestPackages = []string{
	"internal/bpfsys",
	"internal/kernelbtf",
	"keys/keyring",
	"loader",
	"loader/worker",
	"internal/fixture/observe", // the control: the same fixtures without tbpf
	"internal/vmtest/guesttest",
}

// TestKernels is the main job, end to end: fixtures are signed once, on this
// machine, by the command line; then each kernel loads the same sealed files,
// byte for byte. Package guesttest says what is looked at there.
func TestKernels(t *testing.T) {
	for _, kernel := range vmtest.Kernels() {
		vmtest.Require(t, kernel)
	}
	files := signFixtures(t)
	for _, name := range guestPackages {
		files["/bin/"+filepath.Base(name)] = vmtest.File{Host: vmtest.GuestTests(t, module+name)}
	}
	for _, kernel := range vmtest.Kernels() {
		t.Run(string(kernel), func(t *testing.T) {
			t.Parallel()
			var programs []string
			for _, name := range guestPackages {
				programs = append(programs, "/bin/"+filepath.Base(name))
			}
			vmtest.RunTests(t, vmtest.Machine{
				Kernel:  kernel,
				Files:   files,
				Modules: kernel.Conntrack(),
				Timeout: suiteTimeout(),
			}, []string{"TBPF_KERNEL=" + string(kernel), "TBPF_TESTDATA=testdata", "TBPF_LONG=" + os.Getenv("TBPF_LONG")}, programs...)
		})
	}
}

// suiteTimeout bounds one kernel's suite. TBPF_LONG asks for the long form.
func suiteTimeout() time.Duration {
	if os.Getenv("TBPF_LONG") != "" {
		return 30 * time.Minute
	}
	return 20 * time.Minute
}

// signFixtures makes keys, signs every object of testdata and returns what a
// guest needs: tbpf, keys/, sealed/ and testdata/.
func signFixtures(t *testing.T) vmtest.Files {
	t.Helper()
	dir := t.TempDir()
	tbpf := filepath.Join(dir, "tbpf")
	if err := vmtest.Build(t.Context(), tbpf, module+"cmd/tbpf"); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(tbpf, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tbpf %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{"keys", "sealed"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run("keygen", "--name", "suite", "--no-password", "--out", "keys")
	run("keygen", "--name", "stranger", "--no-password", "--out", "keys")

	testdata := filepath.Join("..", "..", "testdata")
	objects, err := filepath.Glob(filepath.Join(testdata, "*.bpf.o"))
	if err != nil || len(objects) == 0 {
		t.Fatalf("objects of testdata: %v, %v", objects, err)
	}
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"sign", "--key", "keys/suite.key", "--cert", "keys/suite.crt"}
	own := [][]string{} // of objects that are signed with arguments of their own
	for _, object := range objects {
		data, err := os.ReadFile(object)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("sealed", filepath.Base(object))
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if f := set.Find(strings.TrimSuffix(filepath.Base(object), ".bpf.o")); f != nil && len(f.Targets) > 0 {
			own = append(own, append(slices.Clone(arguments[:5]), append(targets(f), name)...))
			continue
		}
		arguments = append(arguments, name)
	}
	for _, arguments := range append(own, arguments) {
		run(arguments...)
	}
	// Objects by signers whom a CA stands for, with the certificates in the
	// kernel's signatures: one by the CA itself, one by a CA beneath it.
	run("keygen", "--name", "root", "--no-password", "--out", "keys", "--ca", "--path-length", "1")
	run("keygen", "--name", "team", "--no-password", "--out", "keys", "--ca", "--issuer", "keys/root.key,keys/root.crt")
	run("keygen", "--name", "issued", "--no-password", "--out", "keys", "--issuer", "keys/root.key,keys/root.crt")
	run("keygen", "--name", "member", "--no-password", "--out", "keys", "--issuer", "keys/team.key,keys/team.crt")
	carried := []string{"sign", "sealed/fileguard.bpf.o", "--kernel-chain"}
	run(append(carried, "--name", "carried", "--key", "keys/issued.key", "--cert", "keys/issued.crt", "-o", "sealed/carried.bpf.tbpf")...)
	run(append(carried, "--name", "far", "--key", "keys/member.key", "--cert", "keys/member.crt", "--chain", "keys/team.crt", "-o", "sealed/carried-far.bpf.tbpf")...)
	run(append([]string{"sign", "sealed/settings.bpf.o", "--key", "keys/suite.key", "--cert", "keys/suite.crt", "--name", "tunables", "-o", "sealed/tunables.bpf.tbpf"}, tunables()...)...)

	files := vmtest.Files{
		"/bin/tbpf":         {Host: tbpf},
		"keys/suite.crt":    {Host: filepath.Join(dir, "keys", "suite.crt")},
		"keys/stranger.crt": {Host: filepath.Join(dir, "keys", "stranger.crt")},
		"keys/root.crt":     {Host: filepath.Join(dir, "keys", "root.crt")},
		"keys/issued.crt":   {Host: filepath.Join(dir, "keys", "issued.crt")},
		"keys/member.crt":   {Host: filepath.Join(dir, "keys", "member.crt")},
	}
	addXDPFilter(t, files, run)
	for guest, host := range map[string]string{"sealed": filepath.Join(dir, "sealed"), "testdata": testdata} {
		if err := files.AddTree(guest, host); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// addXDPFilter adds the command xdp-filter of Debian's xdp-tools, with its
// libraries, and the object that it would load itself, sealed.
func addXDPFilter(t *testing.T, files vmtest.Files, run func(...string)) {
	t.Helper()
	cache, err := vmtest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(cache, "tools", "xdp-filter")
	linkers, err := filepath.Glob(filepath.Join(tool, "usr/lib/*/ld-linux*.so.*"))
	if err != nil || len(linkers) != 1 {
		if os.Getenv("CI") != "" {
			t.Fatal("xdp-filter is missing: run scripts/install-tools xdp-filter xdp-tools")
		}
		t.Log("without xdp-filter: run scripts/install-tools xdp-filter xdp-tools")
		return
	}
	libraries, program := filepath.Dir(linkers[0]), filepath.Join(tool, "usr/sbin/xdp-filter")
	out, err := exec.Command(linkers[0], "--library-path", libraries, "--list", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	files["/opt/xdp-filter/xdp-filter"] = vmtest.File{Host: program}
	files["/opt/xdp-filter/ld-linux"] = vmtest.File{Host: linkers[0]}
	for _, field := range strings.Fields(string(out)) {
		if filepath.Dir(field) == libraries {
			files["/opt/xdp-filter/"+filepath.Base(field)] = vmtest.File{Host: field}
		}
	}
	object := filepath.Join(cache, "tools/xdp-tools", strings.TrimPrefix(libraries, tool), "bpf/xdpfilt_alw_all.o")
	run("sign", object, "--key", "keys/suite.key", "--cert", "keys/suite.crt", "--name", "xdp-filter", "-o", "sealed/xdp-filter.bpf.tbpf")
}

// targets are the targets that a fixture is signed with.
func targets(f *fixture.Fixture) []string {
	var flags []string
	for program, target := range f.Targets {
		flags = append(flags, "--target", program+"="+target)
	}
	return flags
}

// tunables are the flags that declare those of the fixture settings.
func tunables() []string {
	var flags []string
	for _, t := range fixture.SettingsTunables() {
		flags = append(flags, "--tunable", t)
	}
	return flags
}
