package cms

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/trustedbpf/tbpf/keys/signer"
)

// opensslChain has openssl make a CA, a CA under it and a signer under that one,
// and sign dir/payload with the latter two in the signature.
func opensslChain(t *testing.T, dir, kind string) (leaf, middle *x509.Certificate) {
	t.Helper()
	path := func(name string) string { return filepath.Join(dir, kind+"-"+name) }
	ca := []string{"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign", "-addext", "subjectKeyIdentifier=hash"}
	request := func(name string, more ...string) {
		openssl(t, append(append([]string{"req", "-x509", "-nodes", "-days", "3650", "-subj", "/CN=tbpf test " + name,
			"-keyout", path(name + ".key"), "-out", path(name + ".crt")}, kinds[kind].newkey...), more...)...)
	}
	request("root", ca...)
	request("middle", append(ca, "-CA", path("root.crt"), "-CAkey", path("root.key"))...)
	request("leaf", "-CA", path("middle.crt"), "-CAkey", path("middle.key"), "-addext", "basicConstraints=critical,CA:FALSE",
		"-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=codeSigning", "-addext", "subjectKeyIdentifier=hash")
	openssl(t, "cms", "-sign", "-binary", "-noattr", "-nosmimecap", "-md", kinds[kind].digest, "-outform", "DER",
		"-in", filepath.Join(dir, "payload"), "-signer", path("leaf.crt"), "-inkey", path("leaf.key"), "-certfile", path("middle.crt"), "-out", path("theirs"))
	return readCertificate(t, path("leaf.crt")), readCertificate(t, path("middle.crt"))
}

// The form with certificates is openssl's as well, to the byte with RSA, and
// openssl verifies ours with nothing but the CA.
func TestChainsOfOpenSSLAndOursAreTheSame(t *testing.T) {
	dir := t.TempDir()
	payload := bytes.Repeat([]byte("instructions and metadata\x00\r\n"), 100)
	if err := os.WriteFile(filepath.Join(dir, "payload"), payload, 0o600); err != nil {
		t.Fatal(err)
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			leaf, middle := opensslChain(t, dir, kind)
			theirs := read(t, dir, kind+"-theirs")
			parsed, err := Parse(theirs)
			if err != nil {
				t.Fatal(err)
			}
			if err := parsed.CheckAnyS(leaf, payload); err != nil {
				t.Error(err)
			}
			if len(parsed.Certificates) != 2 {
				t.Errorf("%d certificates", len(parsed.Certificates))
			}
			again, err := EncodeChain(leaf, []*x509.Certificate{middle}, parsed.Signature)
			if err != nil {
				t.Fatal(err)
			}
			if kind == "rsa2048" && !bytes.Equal(again, theirs) {
				t.Errorf("not byte for byte what openssl makes:\n%x\n%x", again, theirs)
			}
			s, err := signer.Open(filepath.Join(dir, kind+"-leaf.key"), signer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			value, err := s.Sign(payload)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := EncodeChain(leaf, []*x509.Certificate{middle}, value)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := Parse(ours); err != nil || p.Check(leaf, payload) != nil {
				t.Error(err)
			}
			out := filepath.Join(dir, kind+"-ours")
			if err := os.WriteFile(out, ours, 0o600); err != nil {
				t.Fatal(err)
			}
			openssl(t, "cms", "-verify", "-binary", "-inform", "DER", "-in", out, "-content", filepath.Join(dir, "payload"),
				"-CAfile", filepath.Join(dir, kind+"-root.crt"), "-purpose", "any", "-out", os.DevNull)
		})
	}
}
