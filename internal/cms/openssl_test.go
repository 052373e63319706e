package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
)

var update = flag.Bool("update", false, "make the golden files of testdata anew with openssl")

// kinds are the keys of the golden files, with openssl's names for them.
var kinds = map[string]struct {
	newkey []string
	digest string
}{
	"rsa2048": {[]string{"-newkey", "rsa:2048"}, "sha256"},
	"p256":    {[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}, "sha256"},
	"p384":    {[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"}, "sha384"},
	"p521":    {[]string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"}, "sha512"},
}

// openssl runs the openssl binary. CI has it: there its absence is a failure.
func openssl(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed: its signatures are not compared")
	}
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", args[0], err, out)
	}
}

// makeKey has openssl make a key and a certificate for signing programs.
func makeKey(t *testing.T, dir, kind string) {
	t.Helper()
	args := append([]string{"req", "-x509", "-nodes", "-days", "36500", "-subj", "/CN=tbpf test " + kind,
		"-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature",
		"-addext", "extendedKeyUsage=codeSigning", "-addext", "subjectKeyIdentifier=hash",
		"-keyout", filepath.Join(dir, kind+".key"), "-out", filepath.Join(dir, kind+".crt")}, kinds[kind].newkey...)
	openssl(t, args...)
}

// opensslSign has openssl sign dir/payload. form is "keyid" or "serial".
func opensslSign(t *testing.T, dir, kind, form, out string) {
	t.Helper()
	args := []string{"cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", kinds[kind].digest, "-outform", "DER",
		"-in", filepath.Join(dir, "payload"), "-signer", filepath.Join(dir, kind+".crt"), "-inkey", filepath.Join(dir, kind+".key"), "-out", out}
	if form == "keyid" {
		args = append(args, "-keyid")
	}
	openssl(t, args...)
}

func read(t testing.TB, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readCertificate(t testing.TB, elem ...string) *x509.Certificate {
	t.Helper()
	cert, err := keys.ParseCertificate(read(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func readSigner(t testing.TB, elem ...string) *signer.Signer {
	t.Helper()
	block, _ := pem.Decode(read(t, elem...)) // not with signer.Open: a checkout has other modes
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signer.New(key.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUpdateGoldenFiles(t *testing.T) {
	if !*update {
		return // nothing to test: it writes what the next test reads
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/payload", []byte("\x18\x00 the bytes of a loader program and its metadata\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		makeKey(t, "testdata", kind)
		for _, form := range []string{"keyid", "serial"} {
			opensslSign(t, "testdata", kind, form, filepath.Join("testdata", kind+"-"+form+".cms"))
		}
	}
}

// What openssl made once: RSA is the same to the byte, the rest verifies.
func TestGoldenSignaturesOfOpenSSL(t *testing.T) {
	payload := read(t, "testdata", "payload")
	for kind := range kinds {
		cert := readCertificate(t, "testdata", kind+".crt")
		sig, err := readSigner(t, "testdata", kind+".key").Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		for form, encode := range map[string]func(*x509.Certificate, []byte) ([]byte, error){"keyid": Encode, "serial": EncodeIssuerSerial} {
			t.Run(kind+"-"+form, func(t *testing.T) { checkGolden(t, cert, sig, payload, kind, form, encode) })
		}
	}
}

func checkGolden(t *testing.T, cert *x509.Certificate, sig, payload []byte, kind, form string, encode func(*x509.Certificate, []byte) ([]byte, error)) {
	golden := read(t, "testdata", kind+"-"+form+".cms")
	parsed, err := Parse(golden)
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.CheckAnyS(cert, payload); err != nil {
		t.Error(err)
	}
	ours, err := encode(cert, sig)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "rsa2048" && !bytes.Equal(ours, golden) {
		t.Errorf("not byte for byte what openssl makes:\n%x\n%x", ours, golden)
	}
	// The same signature value in our encoding: everything around it, too.
	again, err := encode(cert, parsed.Signature)
	if err != nil {
		t.Fatal(err)
	}
	reparsed, err := Parse(again)
	if err != nil {
		t.Fatal(err)
	}
	if err := reparsed.Check(cert, payload); err != nil {
		t.Errorf("openssl's signature with the lower s: %v", err)
	}
}

// The openssl of this machine, with fresh keys: it verifies ours, and what it
// makes verifies here.
func TestOpenSSLAndOursTakeEachOther(t *testing.T) {
	dir := t.TempDir()
	payload := bytes.Repeat([]byte("instructions and metadata\x00\r\n"), 1000)
	if err := os.WriteFile(filepath.Join(dir, "payload"), payload, 0o600); err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			makeKey(t, dir, kind)
			cert := readCertificate(t, dir, kind+".crt")
			s, err := signer.Open(filepath.Join(dir, kind+".key"), signer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			sig, err := s.Sign(payload)
			if err != nil {
				t.Fatal(err)
			}
			for form, encode := range map[string]func(*x509.Certificate, []byte) ([]byte, error){"keyid": Encode, "serial": EncodeIssuerSerial} {
				ours, theirs := filepath.Join(dir, kind+form+".ours"), filepath.Join(dir, kind+form+".theirs")
				der, err := encode(cert, sig)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(ours, der, 0o600); err != nil {
					t.Fatal(err)
				}
				openssl(t, "cms", "-verify", "-binary", "-inform", "DER", "-in", ours, "-content", filepath.Join(dir, "payload"),
					"-certfile", filepath.Join(dir, kind+".crt"), "-CAfile", filepath.Join(dir, kind+".crt"), "-purpose", "any", "-out", os.DevNull)
				opensslSign(t, dir, kind, form, theirs)
				parsed, err := Parse(read(t, theirs))
				if err != nil {
					t.Fatal(err)
				}
				if err := parsed.CheckAnyS(cert, payload); err != nil {
					t.Errorf("%s of openssl: %v", form, err)
				}
				if kind == "rsa2048" && !bytes.Equal(der, read(t, theirs)) {
					t.Errorf("%s is not byte for byte what openssl makes", form)
				}
			}
		})
	}
}
