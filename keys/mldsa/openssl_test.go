package mldsa_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/keys/signer"
)

var update = flag.Bool("update", false, "make the vectors of testdata anew with openssl")

// openssl runs OpenSSL 3.5 or newer, which knows ML-DSA. CI has it: there its
// absence is a failure.
func openssl(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl-3.5"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl-3.5 is missing: scripts/install-tools openssl-3.5")
		}
		t.Skip("openssl-3.5 is missing: nothing is compared with it")
	}
	if out, err := exec.Command("openssl-3.5", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// makeVectors makes what is in testdata: a key as openssl writes it and the seed
// of it alone, its certificate, and two signatures, one of them with a context.
func makeVectors(t *testing.T) {
	t.Helper()
	message := filepath.Join("testdata", "message")
	for _, kind := range kinds() {
		file := func(suffix string) string { return filepath.Join("testdata", kind.alg.String()+suffix) }
		openssl(t, "genpkey", "-algorithm", strings.ToUpper(kind.alg.String()), "-out", file(".both.key"))
		openssl(t, "pkey", "-in", file(".both.key"), "-provparam", "ml-dsa.output_formats=seed-only", "-out", file(".key"))
		openssl(t, "req", "-x509", "-key", file(".key"), "-days", "36500", "-subj", "/CN=tbpf test "+kind.alg.String(),
			"-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature",
			"-addext", "extendedKeyUsage=codeSigning", "-addext", "subjectKeyIdentifier=hash", "-out", file(".crt"))
		openssl(t, "pkeyutl", "-sign", "-rawin", "-inkey", file(".key"), "-in", message, "-out", file(".sig"))
		openssl(t, "pkeyutl", "-sign", "-rawin", "-inkey", file(".key"), "-pkeyopt", "context-string:other", "-in", message, "-out", file(".context.sig"))
	}
}

// TestOpensslTakesWhatTbpfMakes: private key, certificate with its own signature,
// and a signature.
func TestOpensslTakesWhatTbpfMakes(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind.alg.String(), func(t *testing.T) {
			dir := t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name) }
			key, err := signer.Generate(kind.alg.String())
			if err != nil {
				t.Fatal(err)
			}
			private, err := key.MarshalPlain()
			if err != nil {
				t.Fatal(err)
			}
			der, err := key.Certificate(signer.CertificateOptions{Name: "Überprüfer", Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			sig, err := key.Sign([]byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{"key": private, "crt": signer.EncodeCertificate(der), "sig": sig, "message": []byte("message")} {
				if err := os.WriteFile(file(name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			openssl(t, "verify", "-x509_strict", "-check_ss_sig", "-partial_chain", "-purpose", "codesign", "-CAfile", file("crt"), file("crt"))
			openssl(t, "pkeyutl", "-verify", "-rawin", "-certin", "-inkey", file("crt"), "-in", file("message"), "-sigfile", file("sig"))
			openssl(t, "pkeyutl", "-sign", "-rawin", "-inkey", file("key"), "-in", file("message"), "-out", file("again"))
			again, err := os.ReadFile(file("again"))
			if err != nil {
				t.Fatal(err)
			}
			if err := mldsa.Checker().Verify(key.Public(), kind.alg, []byte("message"), again); err != nil {
				t.Errorf("what openssl signs with the key: %v", err)
			}
		})
	}
}

type kind struct {
	alg   keys.Algorithm
	other keys.Algorithm
}

func kinds() []kind {
	return []kind{{keys.MLDSA65, keys.MLDSA87}, {keys.MLDSA87, keys.MLDSA65}}
}
