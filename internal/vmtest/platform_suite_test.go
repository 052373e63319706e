package vmtest_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// TestPlatformKeyring is a keyring that the kernel itself fills: a certificate
// in the db of the machine's UEFI firmware arrives in .platform. What its key
// signed is loaded against that keyring, and what another trusted key signed is
// not: it is the kernel that refuses. A gate asks for that keyring alone. 7.3 alone
// but in the long form.
func TestPlatformKeyring(t *testing.T) {
	kernels := []vmtest.Kernel{"7.3"}
	if os.Getenv("TBPF_LONG") != "" {
		kernels = []vmtest.Kernel{"6.18", "7.2", "7.3"}
	}
	for _, kernel := range kernels {
		vmtest.Require(t, kernel)
	}
	vmtest.RequireUEFI(t)
	files, enrolled := platformFiles(t)
	gated := signGate(t)
	gated["/bin/gatetest"] = vmtest.File{Host: vmtest.GuestTests(t, module+"internal/vmtest/gatetest")}
	suite := readDER(t, gated["keys/suite.crt"].Host)
	for _, kernel := range kernels {
		t.Run(string(kernel), func(t *testing.T) {
			t.Parallel()
			t.Run("enrolled", func(t *testing.T) { t.Parallel(); platformBoot(t, kernel, files, [][]byte{enrolled}, 0) })
			t.Run("empty", func(t *testing.T) { t.Parallel(); platformBoot(t, kernel, files, [][]byte{}, 20) })
			t.Run("gate", func(t *testing.T) {
				t.Parallel()
				vmtest.RunTests(t, vmtest.Machine{Kernel: kernel, Files: gated, UEFI: [][]byte{suite}, Timeout: 10 * time.Minute},
					[]string{"TBPF_KERNEL=" + string(kernel), "TBPF_GATE=platform"}, "/bin/gatetest")
			})
		})
	}
}

// platformBoot loads the enrolled key's object, with tbpf and tbpf-loader, which
// must end with want, and a stranger's, which the kernel must refuse.
func platformBoot(t *testing.T, kernel vmtest.Kernel, files vmtest.Files, db [][]byte, want int) {
	load := func(file, pin string, more ...string) vmtest.Step {
		return vmtest.Step{Args: append([]string{"tbpf", "load", file, "--kernel-keyring", "platform", "--pin", "/sys/fs/bpf/" + pin}, more...)}
	}
	steps := []vmtest.Step{
		load("enrolled.tbpf", "enrolled"),
		{Args: []string{"tbpf-loader", "load", "/w/enrolled.tbpf"}},
		load("stranger.tbpf", "stranger"),
		{Args: []string{"tbpf-loader", "load", "/w/stranger.tbpf"}},
	}
	codes := []int{want, want, 20, 20}
	result := vmtest.Boot(t, vmtest.Machine{Kernel: kernel, Files: files, UEFI: db, Steps: steps, Timeout: 5 * time.Minute})
	for i, step := range result.Steps {
		if step.Code != codes[i] {
			t.Errorf("%s: exit %d, want %d\n%s%s", steps[i].Args, step.Code, codes[i], step.Stdout, step.Stderr)
		}
	}
	if text := string(result.Steps[0].Stdout); want == 0 && !strings.Contains(text, "signature checked by the kernel") {
		t.Errorf("the kernel checked no signature:\n%s", text)
	}
	if text := string(result.Steps[2].Stderr); !strings.Contains(text, "the kernel keyring does not hold the signer's certificate") {
		t.Errorf("the stranger's object was refused for another reason:\n%s", text)
	}
}

// platformFiles are a machine that trusts two keys and has the kernel ask its
// platform keyring, and the certificate (DER) of one of them.
func platformFiles(t *testing.T) (vmtest.Files, []byte) {
	t.Helper()
	dir := t.TempDir()
	files := vmtest.Files{"/etc/tbpf/policy.toml": {Data: []byte("kernel-keyring = \"platform\"\n"), Mode: 0o644}}
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
	for _, name := range []string{"enrolled", "stranger"} {
		for _, args := range [][]string{
			{"keygen", "--name", name, "--no-password"},
			{"sign", object, "--key", name + ".key", "--cert", name + ".crt", "--name", name, "-o", name + ".tbpf"},
		} {
			cmd := exec.Command(filepath.Join(dir, "tbpf"), args...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("tbpf %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
		files[name+".tbpf"] = vmtest.File{Host: filepath.Join(dir, name+".tbpf"), Mode: 0o644}
		files["/etc/tbpf/keyring.d/"+name+".crt"] = vmtest.File{Host: filepath.Join(dir, name+".crt"), Mode: 0o644}
	}
	return files, readDER(t, filepath.Join(dir, "enrolled.crt"))
}

// readDER reads a certificate.
func readDER(t *testing.T, path string) []byte {
	t.Helper()
	certificate, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(certificate)
	if block == nil {
		t.Fatal("the certificate is not PEM")
	}
	return block.Bytes
}
