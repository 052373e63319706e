package interop

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// Every way of holding a key signs an object that Linux 7.3 loads after it
// checked the signature itself.
func TestKeysOfEveryKindLoad(t *testing.T) {
	vmtest.Require(t, "7.3")
	h := newHSM(t)
	object, err := os.ReadFile("../../testdata/fileguard.bpf.o")
	if err != nil {
		t.Fatal(err)
	}
	h.write("x.bpf.o", object)
	h.write("password", []byte("hunter2\n"))
	var kinds []string
	sign := func(kind, ref string, more ...string) {
		t.Helper()
		h.must(append([]string{"./tbpf", "keygen", "--from", ref, "--name", kind}, more...)...)
		h.must(append([]string{"./tbpf", "sign", "x.bpf.o", "--key", ref, "--cert", kind + ".crt", "--name", kind, "-o", kind + ".tbpf"}, more...)...)
		kinds = append(kinds, kind)
	}
	for _, kind := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072", "rsa-4096"} {
		h.must("./tbpf", "keygen", "--name", "file-"+kind, "--algorithm", kind, "--no-password")
		sign("pem-"+kind, "file-"+kind+".key")
		sign("hsm-"+kind, "pkcs11:token=tbpf;object="+kind+"?pin-source=file:"+h.dir+"/pin")
	}
	h.must("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "file:password", "-out", "pkcs8.pem")
	if err := os.Chmod(filepath.Join(h.dir, "pkcs8.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	sign("pkcs8", "pkcs8.pem", "--password-file", "password")
	h.must("./tbpf", "keygen", "--name", "encrypted", "--password-file", "password")
	sign("sigstore", "encrypted.key", "--password-file", "password")
	// The PEM that cosign wrote before 2.0 differs in its type alone.
	h.write("cosign.key", bytes.ReplaceAll(h.read("encrypted.key"), []byte("SIGSTORE"), []byte("COSIGN")))
	sign("cosign", "cosign.key", "--password-file", "password")
	h.env = append(h.env, "RELEASE_KEY="+string(h.read("file-ecdsa-p256.key")))
	sign("env", "env://RELEASE_KEY")

	h.must("./tbpf", "sign", "x.bpf.o", "--cert", "pem-rsa-3072.crt", "--name", "twostep", "--prepare", "todo")
	for _, name := range []string{"statement", "bound", "selfcheck-excl", "selfcheck"} {
		h.must("openssl", "dgst", "-sha256", "-sign", "file-rsa-3072.key", "-out", "todo/"+name+".sig", "todo/"+name+".payload")
	}
	h.must("./tbpf", "sign", "--complete", "todo", "-o", "twostep.tbpf")
	h.write("twostep.crt", h.read("pem-rsa-3072.crt"))
	kinds = append(kinds, "twostep")

	tbpf := filepath.Join(h.dir, "static")
	if err := vmtest.Build(t.Context(), tbpf, "github.com/trustedbpf/tbpf/cmd/tbpf"); err != nil {
		t.Fatal(err)
	}
	files := vmtest.Files{"/bin/tbpf": {Host: tbpf}}
	var steps []vmtest.Step
	for _, kind := range kinds {
		for _, suffix := range []string{".tbpf", ".crt"} {
			files[kind+suffix] = vmtest.File{Host: filepath.Join(h.dir, kind+suffix), Mode: 0o644}
		}
		steps = append(steps, vmtest.Step{Args: []string{"tbpf", "load", kind + ".tbpf", "--keyring", kind + ".crt", "--pin", "/sys/fs/bpf/" + kind}})
	}
	// And what one signed is not taken for another.
	steps = append(steps, vmtest.Step{Args: []string{"tbpf", "load", "hsm-rsa-4096.tbpf", "--keyring", "pkcs8.crt", "--pin", "/sys/fs/bpf/other"}})
	result := vmtest.Boot(t, vmtest.Machine{Kernel: "7.3", Files: files, Steps: steps, Timeout: 5 * time.Minute})
	for i, kind := range kinds {
		step := result.Steps[i]
		if step.Code != 0 || !strings.Contains(string(step.Stdout), "signature checked by the kernel") {
			t.Errorf("%s: exit %d\n%s%s", kind, step.Code, step.Stdout, step.Stderr)
		}
	}
	if last := result.Steps[len(kinds)]; last.Code != 12 {
		t.Errorf("a stranger's: exit %d\n%s", last.Code, last.Stderr)
	}
}
