package interop

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// cosign and step are built by scripts/install-tools, at these releases.
func cosign(t *testing.T) string { t.Helper(); return built(t, "cosign-v3.1.3") }
func step(t *testing.T) string   { t.Helper(); return built(t, "step-v0.30.6") }

// built finds a program of scripts/install-tools that takes minutes to build:
// `make test` uses one that is there, and `make soak` builds it (TBPF_BUILT=required).
func built(t *testing.T, name string) string {
	t.Helper()
	cache := os.Getenv("TBPF_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "tbpf")
	}
	path := filepath.Join(cache, "bin", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && os.Getenv("TBPF_BUILT") == "" {
		t.Skipf("%s is not there: scripts/install-tools builds it, and make soak does", path)
	} else if err != nil {
		t.Fatal(err)
	}
	return path
}

// workbench is a directory with commands and files.
type workbench struct {
	t   *testing.T
	dir string
}

func newWorkbench(t *testing.T) *workbench {
	w := &workbench{t, t.TempDir()}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(w.dir, "tbpf"), "../../cmd/tbpf").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	object, err := os.ReadFile("../../testdata/xdpcount.bpf.o")
	if err != nil {
		t.Fatal(err)
	}
	w.write("x.bpf.o", object)
	return w
}

func (w *workbench) write(name string, data []byte) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workbench) read(name string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// attempt runs a command in the directory, without network and home.
func (w *workbench) attempt(name string, args ...string) (string, error) {
	if name == "tbpf" {
		name = "./tbpf"
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = w.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "COSIGN_PASSWORD=", "https_proxy=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *workbench) run(name string, args ...string) string {
	w.t.Helper()
	out, err := w.attempt(name, args...)
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

// keyPair makes a key with openssl, its certificate with tbpf, and cosign's form
// of it.
func (w *workbench) keyPair(cosign, kind string, newkey ...string) {
	w.t.Helper()
	w.run("openssl", append([]string{"genpkey", "-out", kind + ".pem"}, newkey...)...)
	w.run("tbpf", "keygen", "--name", kind, "--from", kind+".pem")
	w.run("openssl", "pkey", "-in", kind+".pem", "-pubout", "-out", kind+".pub")
	w.run(cosign, "import-key-pair", "--key", kind+".pem", "--output-key-prefix", "cosign-"+kind, "--yes")
}

// kinds are keys, as openssl makes them, and what cosign has to be told of them:
// it verifies with SHA-256 unless told otherwise, although it signs as tbpf does.
var kinds = map[string]struct{ newkey, digest []string }{
	"p256":    {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, nil},
	"p384":    {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, []string{"--signature-digest-algorithm", "sha384"}},
	"p521":    {[]string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}, []string{"--signature-digest-algorithm", "sha512"}},
	"rsa3072": {[]string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"}, nil},
}

// The real cosign verifies what tbpf signed, as docs/format.md says it.
func TestCosignVerifiesOurs(t *testing.T) {
	cosign, w := cosign(t), newWorkbench(t)
	w.write("other.bpf.o", []byte("another object"))
	for kind, c := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := &workbench{t, w.dir}
			w.keyPair(cosign, kind, c.newkey...)
			w.run("tbpf", "sign", "x.bpf.o", "--key", kind+".pem", "--cert", kind+".crt", "-o", kind+".tbpf")
			w.run("tbpf", "extract", kind+".tbpf", "--envelope", "-o", kind+".envelope.json")
			w.run("tbpf", "extract", kind+".tbpf", "--object", "-o", kind+".o")
			verify := append([]string{"verify-blob-attestation", "--key", kind + ".pub", "--insecure-ignore-tlog", "--new-bundle-format=false",
				"--signature", kind + ".envelope.json", "--type", manifest.PredicateType}, c.digest...)
			w.run(cosign, append(verify, kind+".o")...)
			if out, err := w.attempt(cosign, append(verify, "other.bpf.o")...); err == nil {
				t.Errorf("cosign takes it for another object:\n%s", out)
			}
		})
	}
}

// What the real cosign signs, `attest-blob` over the manifest, counts in a seal
// like any other signature, with the digest that tbpf has for the key.
func TestWeVerifyCosigns(t *testing.T) {
	cosign, w := cosign(t), newWorkbench(t)
	w.run("tbpf", "keygen", "--name", "first", "--no-password")
	w.run("tbpf", "sign", "x.bpf.o", "--key", "first.key", "--cert", "first.crt", "-o", "x.tbpf")
	w.run("tbpf", "extract", "x.tbpf", "--manifest", "-o", "statement.json")
	for kind, c := range kinds {
		t.Run(kind, func(t *testing.T) {
			w := &workbench{t, w.dir}
			w.keyPair(cosign, kind, c.newkey...)
			w.run(cosign, "attest-blob", "--key", "cosign-"+kind+".key", "--statement", "statement.json", "--tlog-upload=false",
				"--new-bundle-format=false", "--use-signing-config=false", "--output-signature", kind+".json")
			e, err := dsse.Parse(w.read(kind + ".json"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(e.Payload, w.read("statement.json")) || e.PayloadType != manifest.PayloadType {
				t.Error("cosign signed something else than the manifest")
			}
			w.countersigned(kind, e.Signatures[0].Value, "")
			w.run("tbpf", "countersign", "x.tbpf", "--keyring", "first.crt", "--attestation", kind+".json", "--public-key", "cosign-"+kind+".pub", "-o", "both-"+kind+".tbpf")
			w.run("tbpf", "verify", "both-"+kind+".tbpf", "--keyring", kind+".crt", "--keyring", "first.crt", "--threshold", "2")
			// A signature of the file itself is none of a manifest.
			w.run(cosign, "sign-blob", "--key", "cosign-"+kind+".key", "--tlog-upload=false", "--new-bundle-format=false", "--use-signing-config=false",
				"--yes", "--output-signature", kind+".raw", "statement.json")
			w.run("openssl", "base64", "-d", "-A", "-in", kind+".raw", "-out", kind+".value")
			w.countersigned(kind, w.read(kind+".value"), verify.SignatureNoPAE)
			if out, err := w.attempt("tbpf", "countersign", "x.tbpf", "--keyring", "first.crt", "--attestation", kind+".raw", "--public-key", kind+".pub"); err == nil || !strings.Contains(out, "hint: a DSSE envelope is wanted") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// countersigned adds a signature to x.tbpf and verifies the result by this key
// alone.
func (w *workbench) countersigned(kind string, value []byte, want verify.Reason) {
	w.t.Helper()
	object, encoded, err := seal.Split(w.read("x.tbpf"))
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := seal.Decode(encoded)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := keys.TrustKey(publicKey(w.t, filepath.Join(w.dir, kind+".pub")), "cosign")
	if err != nil {
		w.t.Fatal(err)
	}
	if k, ok := key.Public.(*ecdsa.PublicKey); ok {
		if value, err = keys.NormalizeECDSA(value, k.Curve); err != nil {
			w.t.Fatal(err)
		}
	}
	g := seal.Signature{KeyID: key.ID, Value: value}
	if g.Algorithm, err = key.Algorithm(); err != nil {
		w.t.Fatal(err)
	}
	if g.PublicKey, err = keys.MarshalPublic(key.Public); err != nil {
		w.t.Fatal(err)
	}
	s.Signatures = append(s.Signatures, g)
	if encoded, err = s.Encode(); err != nil {
		w.t.Fatal(err)
	}
	v, err := verify.Bytes(seal.Join(object, encoded), verify.Options{Keyring: keys.NewKeyring(key)})
	if want == "" {
		if err != nil || len(v.Signers()) != 1 {
			w.t.Error(err)
		}
		return
	}
	var refused *verify.Error
	if !errors.As(err, &refused) || refused.Reason != want || refused.Hint == "" {
		w.t.Errorf("%v, want %s with a hint", err, want)
	}
}
