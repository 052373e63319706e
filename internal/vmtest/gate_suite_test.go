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

// TestGate arms the gate in a machine of each kernel, and has root try what it
// must refuse. Package gatetest says what.
func TestGate(t *testing.T) {
	for _, kernel := range vmtest.Kernels() {
		vmtest.Require(t, kernel)
	}
	files := signGate(t)
	files["/bin/gatetest"] = vmtest.File{Host: vmtest.GuestTests(t, module+"internal/vmtest/gatetest")}
	for _, kernel := range vmtest.Kernels() {
		// A machine has one gate until it is started anew.
		for gate, name := range map[string]string{"": "enforce", "allow": "allow", "audit": "audit"} {
			t.Run(string(kernel)+"/"+name, func(t *testing.T) {
				t.Parallel()
				vmtest.RunTests(t, vmtest.Machine{Kernel: kernel, Files: files, Timeout: 20 * time.Minute},
					[]string{"TBPF_KERNEL=" + string(kernel), "TBPF_GATE=" + gate}, "/bin/gatetest")
			})
		}
	}
}

// signGate makes the files of gatetest.
func signGate(t *testing.T) vmtest.Files {
	t.Helper()
	dir := t.TempDir()
	files := vmtest.Files{}
	for name, path := range map[string]string{"tbpf": "cmd/tbpf", "tbpf-loader": "cmd/tbpf-loader", "compat": "internal/vmtest/gatetest/compat"} {
		out := filepath.Join(dir, name)
		if err := vmtest.Build(t.Context(), out, module+path); err != nil {
			t.Fatal(err)
		}
		files["/bin/"+name] = vmtest.File{Host: out}
	}
	compat := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "compat386"), module+"internal/vmtest/gatetest/compat")
	compat.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=386")
	if out, err := compat.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files["/bin/compat386"] = vmtest.File{Host: filepath.Join(dir, "compat386")}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(dir, "tbpf"), args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tbpf %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, key := range []string{"suite", "stranger"} {
		run("keygen", "--name", key, "--no-password")
		files["keys/"+key+".crt"] = vmtest.File{Host: filepath.Join(dir, key+".crt")}
	}
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	run("gate", "build", "--key", "suite.key", "--cert", "suite.crt", "-o", "gate.tbpf")
	files["boot/gate.tbpf"] = vmtest.File{Host: filepath.Join(dir, "gate.tbpf")}
	for name, key := range map[string]string{"ringbuf": "suite", "multi": "suite", "suite": "suite", "stranger": "stranger"} {
		object := map[string]string{"suite": "ringbuf", "stranger": "ringbuf"}[name]
		if object == "" {
			object = name
		}
		run("sign", filepath.Join(top, "testdata", object+".bpf.o"), "--key", key+".key", "--cert", key+".crt", "--name", name, "--version", "1", "-o", name+".tbpf")
		files["boot/"+name+".tbpf"] = vmtest.File{Host: filepath.Join(dir, name+".tbpf")}
	}
	files["boot/xdpcount.o"] = vmtest.File{Host: filepath.Join(top, "testdata", "xdpcount.bpf.o")}
	addBpftool(t, files)
	return files
}

// addBpftool adds bpftool with its libraries.
func addBpftool(t *testing.T, files vmtest.Files) {
	t.Helper()
	cache := os.Getenv("TBPF_CACHE")
	if cache == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, "tbpf")
	}
	root := filepath.Join(cache, "tools", "bpftool", "usr")
	libraries, err := filepath.Glob(filepath.Join(root, "lib", "x86_64-linux-gnu", "*.so*"))
	if err != nil || len(libraries) == 0 {
		t.Fatalf("bpftool is not there (scripts/install-tools bpftool): %v", err)
	}
	for _, library := range libraries {
		host, err := filepath.EvalSymlinks(library)
		if err != nil {
			t.Fatal(err)
		}
		files["/opt/bpftool/"+filepath.Base(library)] = vmtest.File{Host: host}
		if strings.HasPrefix(filepath.Base(library), "ld-linux") {
			files["/opt/bpftool/ld"] = vmtest.File{Host: host}
		}
	}
	files["/opt/bpftool/bpftool"] = vmtest.File{Host: filepath.Join(root, "sbin", "bpftool")}
}
