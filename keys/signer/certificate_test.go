package signer

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
)

func makeCertificate(t *testing.T, algorithm string, opt CertificateOptions) *x509.Certificate {
	t.Helper()
	der, err := generated(t, algorithm).Certificate(opt)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keys.ParseCertificate(EncodeCertificate(der))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCertificateIsWhatVerifyAndKernelWant(t *testing.T) {
	ids := map[string]bool{}
	for _, algorithm := range Algorithms() {
		cert := makeCertificate(t, algorithm, CertificateOptions{Name: "release key", Now: noon})
		if err := keys.CheckCertificate(cert, noon); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if err := keys.CertificateOf(cert, generated(t, algorithm).Public()); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		// The kernel verifies what says that it is self-signed (x509_check_for_self_signed).
		err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
		if key, ok := cert.PublicKey.(*keys.MLDSAPublicKey); ok { // x509 does not know it
			err = mldsa.Checker().Verify(key, key.Algorithm, cert.RawTBSCertificate, cert.Signature)
		}
		if err != nil {
			t.Errorf("%s is not signed by itself: %v", algorithm, err)
		}
		if cert.Version != 3 || cert.Subject.CommonName != "release key" || !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			t.Errorf("%s: version %d, %v issued by %v", algorithm, cert.Version, cert.Subject, cert.Issuer)
		}
		if cert.KeyUsage != x509.KeyUsageDigitalSignature || len(cert.ExtKeyUsage) != 1 || !cert.BasicConstraintsValid || cert.IsCA {
			t.Errorf("%s: usage %b, %v, CA %v", algorithm, cert.KeyUsage, cert.ExtKeyUsage, cert.IsCA)
		}
		if len(cert.SubjectKeyId) != 20 || ids[string(cert.SubjectKeyId)] {
			t.Errorf("%s: key identifier %x", algorithm, cert.SubjectKeyId)
		}
		ids[string(cert.SubjectKeyId)] = true
	}
	// It depends on the key alone.
	again := makeCertificate(t, "ecdsa-p256", CertificateOptions{Name: "other", Now: noon})
	if !ids[string(again.SubjectKeyId)] {
		t.Error("two certificates of one key have two key identifiers")
	}
}

func TestCertificateValidity(t *testing.T) {
	now := time.Date(2028, 2, 29, 12, 0, 0, 5, time.FixedZone("", 3600))
	for name, test := range map[string]struct {
		validFor time.Duration
		end      time.Time
	}{
		"ten years": {0, time.Date(2038, 3, 1, 11, 0, 0, 0, time.UTC)},
		"a day":     {24 * time.Hour, time.Date(2028, 3, 1, 11, 0, 0, 0, time.UTC)},
	} {
		cert := makeCertificate(t, "ed25519", CertificateOptions{Name: "n", Now: now, ValidFor: test.validFor})
		if !cert.NotAfter.Equal(test.end) || !cert.NotBefore.Equal(time.Date(2028, 2, 29, 10, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: from %v to %v", name, cert.NotBefore, cert.NotAfter)
		}
	}
	s := generated(t, "ed25519")
	for name, opt := range map[string]CertificateOptions{
		"no name":           {Now: now},
		"a path as name":    {Name: "../n", Now: now},
		"no time":           {Name: "n"},
		"end before making": {Name: "n", Now: now, ValidFor: -time.Hour},
		"shorter than 1 s":  {Name: "n", Now: now, ValidFor: 1}, // NotAfter has whole seconds: it would lie before Now
	} {
		if _, err := s.Certificate(opt); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

func TestSerialNumbersDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		serial, err := newSerial()
		if err != nil {
			t.Fatal(err)
		}
		if serial.Sign() <= 0 || serial.BitLen() != 127 || seen[serial.String()] {
			t.Errorf("serial number %v", serial)
		}
		seen[serial.String()] = true
	}
	if makeCertificate(t, "ed25519", CertificateOptions{Name: "n", Now: noon}).SerialNumber.Cmp(big.NewInt(0)) <= 0 {
		t.Error("a certificate without serial number")
	}
}

func TestRequestNamesKeyAndSubject(t *testing.T) {
	for _, algorithm := range []string{"ecdsa-p384", "ed25519"} {
		s := generated(t, algorithm)
		der, err := s.Request("release key")
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode(EncodeRequest(der))
		if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) != 0 {
			t.Fatalf("%s: not one PEM block", algorithm)
		}
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		id, err := keys.IDOf(request.PublicKey)
		if err != nil || id != s.ID() || request.Subject.CommonName != "release key" || request.CheckSignature() != nil {
			t.Errorf("%s: %v for %v (%v)", algorithm, request.Subject, id, err)
		}
	}
	if _, err := generated(t, "ed25519").Request(""); err == nil {
		t.Error("a request without a name")
	}
}

// The whole way: our key and our certificate, and openssl accepts the kernel
// signature made with them.
func TestOpenSSLTakesKernelSignatureByOurCertificate(t *testing.T) {
	for _, algorithm := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072", "rsa-4096"} {
		cert := makeCertificate(t, algorithm, CertificateOptions{Name: "release key", Now: time.Now()})
		payload := []byte("instructions and metadata")
		sig, err := generated(t, algorithm).Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		der, err := cms.Encode(cert, sig)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for name, data := range map[string][]byte{"crt": EncodeCertificate(cert.Raw), "cms": der, "payload": payload} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		crt := filepath.Join(dir, "crt")
		openssl(t, "cms", "-verify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "cms"), "-content", filepath.Join(dir, "payload"),
			"-certfile", crt, "-CAfile", crt, "-purpose", "any", "-out", os.DevNull)
		text, err := exec.Command("openssl", "x509", "-in", crt, "-noout", "-text").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"CA:FALSE", "Digital Signature", "Code Signing", "Subject Key Identifier"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: openssl does not see %q", algorithm, want)
			}
		}
	}
}
