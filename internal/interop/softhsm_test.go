package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hsm is a workbench with a SoftHSM token, and the plugin that speaks to it.
type hsm struct {
	*workbench
	env []string
}

const hsmPIN = "471147"

// newHSM makes a token "tbpf". The plugin needs a C compiler, the token
// SoftHSM: scripts/install-tools softhsm.
func newHSM(t *testing.T) *hsm {
	t.Helper()
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		cache, _ := os.UserCacheDir()
		util = filepath.Join(cache, "tbpf", "bin", "softhsm2-util")
		if _, err := os.Stat(util); err != nil {
			missing(t, "SoftHSM is missing: scripts/install-tools softhsm")
		}
	}
	if _, err := exec.LookPath("cc"); err != nil {
		missing(t, "there is no C compiler, which the plugin needs")
	}
	h := &hsm{workbench: newWorkbench(t)}
	build := exec.Command("go", "build", "-o", filepath.Join(h.dir, "sigstore-kms-pkcs11"), ".")
	build.Dir = "../../cmd/sigstore-kms-pkcs11"
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.write("softhsm2.conf", []byte("directories.tokendir = "+h.dir+"/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"))
	if err := os.Mkdir(filepath.Join(h.dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.write("pin", []byte(hsmPIN+"\n"))
	h.env = append(os.Environ(), "PATH="+h.dir+":"+os.Getenv("PATH"), "SOFTHSM2_CONF="+h.dir+"/softhsm2.conf", "PKCS11_MODULE_PATH="+softHSMModule(t, util))
	h.must(util, "--module", softHSMModule(t, util), "--init-token", "--free", "--label", "tbpf", "--pin", hsmPIN, "--so-pin", hsmPIN)
	for i, kind := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072", "rsa-4096"} {
		h.must("./tbpf", "keygen", "--name", "soft-"+kind, "--algorithm", kind, "--no-password")
		h.must(util, "--module", softHSMModule(t, util), "--import", "soft-"+kind+".key", "--token", "tbpf", "--label", kind, "--id", "0"+string(rune('1'+i)), "--pin", hsmPIN)
		if err := os.Remove(filepath.Join(h.dir, "soft-"+kind+".key")); err != nil { // from now on only the token has it
			t.Fatal(err)
		}
	}
	return h
}

// softHSMModule is the library beside the program.
func softHSMModule(t *testing.T, util string) string {
	t.Helper()
	cache, _ := os.UserCacheDir()
	for _, path := range []string{
		filepath.Join(cache, "tbpf/tools/softhsm/usr/lib/softhsm/libsofthsm2.so"), "/usr/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	missing(t, "SoftHSM's library is missing: scripts/install-tools softhsm")
	return ""
}

func (h *hsm) try(args ...string) ([]byte, error) {
	cmd := exec.Command(args[0], args[1:]...)
	if strings.HasPrefix(args[0], "./") {
		cmd.Path = filepath.Join(h.dir, args[0])
	}
	cmd.Dir, cmd.Env = h.dir, h.env
	return cmd.CombinedOutput()
}

func (h *hsm) must(args ...string) []byte {
	h.t.Helper()
	out, err := h.try(args...)
	if err != nil {
		h.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Keys in an HSM sign what tbpf verifies: the commands of docs/keys.md.
func TestAnHSMSigns(t *testing.T) {
	h := newHSM(t)
	for _, kind := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072", "rsa-4096"} {
		t.Run(kind, func(t *testing.T) {
			ref := "pkcs11:token=tbpf;object=" + kind + ";type=private?pin-source=file:" + h.dir + "/pin"
			h.must("./tbpf", "keygen", "--from", ref, "--name", "hsm-"+kind)
			h.must("./tbpf", "sign", "x.bpf.o", "--key", ref, "--cert", "hsm-"+kind+".crt", "-o", kind+".tbpf")
			out := h.must("./tbpf", "verify", kind+".tbpf", "--keyring", "hsm-"+kind+".crt", "--reproduce")
			if !bytes.Contains(out, []byte("verified")) {
				t.Errorf("%s", out)
			}
		})
	}
}

// What goes wrong is told in one line, and the PIN is in none of them.
func TestAnHSMThatRefusesIsTold(t *testing.T) {
	h := newHSM(t)
	h.write("wrong", []byte("000000"))
	h.write("open", []byte(hsmPIN))
	if err := os.Chmod(filepath.Join(h.dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	pin := "?pin-source=file:" + h.dir + "/"
	for ref, want := range map[string]string{
		"pkcs11:token=tbpf;object=ecdsa-p256":                                   "there is no PIN",
		"pkcs11:token=tbpf;object=ecdsa-p256" + pin + "wrong":                   "CKR_PIN_INCORRECT",
		"pkcs11:token=tbpf;object=ecdsa-p256" + pin + "open":                    "chmod 600",
		"pkcs11:token=tbpf;object=ecdsa-p256" + pin + "absent":                  "no such file",
		"pkcs11:token=tbpf;object=nothing" + pin + "pin":                        "no keys are those that the URI names",
		"pkcs11:token=other;object=ecdsa-p256" + pin + "pin":                    "0 tokens are those that the URI names",
		"pkcs11:token=tbpf;id=%01;object=rsa-3072" + pin + "pin":                "no keys are those that the URI names",
		"pkcs11:token=tbpf;objekt=ecdsa-p256" + pin + "pin":                     "does not know",
		"pkcs11:token=tbpf" + pin + "pin":                                       "names no key",
		"pkcs11:token=tbpf;object=ecdsa-p256?pin-value=" + hsmPIN:               "it has a PIN in it",
		"pkcs11:object=x?module-path=/nonexistent&pin-source=" + h.dir + "/pin": "cannot be loaded",
	} {
		out, err := h.try("./tbpf", "keygen", "--from", ref, "--name", "never")
		if err == nil || !bytes.Contains(out, []byte(want)) || bytes.Count(out, []byte("tbpf: error: ")) != 1 || bytes.Contains(out, []byte(hsmPIN)) {
			t.Errorf("%s: %v\n%s", ref, err, out)
		}
	}
	// By the environment, and by id.
	h.env = append(h.env, "PKCS11_PIN="+hsmPIN)
	h.must("./tbpf", "keygen", "--from", "pkcs11:token=tbpf;id=%03", "--name", "byid")
	if !bytes.Contains(h.must("./tbpf", "keygen", "--from", "pkcs11:token=tbpf;object=rsa-4096", "--name", "other", "--json"), []byte("rsa-pkcs1v15-sha256")) {
		t.Error("another key")
	}
}
