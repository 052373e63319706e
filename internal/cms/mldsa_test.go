package cms

import (
	"bytes"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/keys/signer"
)

// mldsaSigned is a kernel signature of "payload" and who made it.
func mldsaSigned(t testing.TB, algorithm string) (*x509.Certificate, []byte) {
	t.Helper()
	key, err := signer.Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Certificate(signer.CertificateOptions{Name: "n", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keys.ParseCertificateDER(raw)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := key.Sign([]byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	der, err := Encode(cert, sig)
	if err != nil {
		t.Fatal(err)
	}
	return cert, der
}

// TestMLDSAIsOverThePayloadItself, with SHA-512 named as the digest, which means
// nothing, and the key's identifier as the signature's algorithm.
func TestMLDSAIsOverThePayloadItself(t *testing.T) {
	for algorithm, last := range map[string]byte{"ml-dsa-65": 0x12, "ml-dsa-87": 0x13} {
		cert, der := mldsaSigned(t, algorithm)
		s, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckBy(mldsa.Checker(), cert, []byte("payload")); err != nil {
			t.Error(err)
		}
		if err := s.Check(cert, []byte("payload")); !errors.Is(err, keys.ErrUnchecked) {
			t.Errorf("%s, without a checker: %v", algorithm, err)
		}
		if err := s.CheckBy(mldsa.Checker(), cert, []byte("payloae")); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("%s, another payload: %v", algorithm, err)
		}
		// RFC 9882 section 3.3 and 3.4, as identifiers without parameters.
		pair := []byte{0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, last}
		if bytes.Count(der, pair) != 1 {
			t.Errorf("%s: the algorithms of the SignerInfo are others: %x", algorithm, der[:120])
		}
		// What else a kernel may take is not the one form.
		for name, change := range map[string]struct {
			old, new []byte
			want     error
		}{
			"SHA-256 named":     {[]byte{0x65, 3, 4, 2, 3}, []byte{0x65, 3, 4, 2, 1}, ErrFormat},
			"a set unknown":     {pair[13:], append(bytes.Clone(pair[13:25]), 0x11), ErrFormat},
			"the other set":     {pair[13:], append(bytes.Clone(pair[13:25]), 0x12^0x13^last), ErrSigner},
			"another signature": {[]byte{6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3}, []byte{6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4}, ErrFormat},
		} {
			s, err := Parse(bytes.ReplaceAll(der, change.old, change.new))
			if err == nil {
				err = s.CheckBy(mldsa.Checker(), cert, []byte("payload"))
			}
			if !errors.Is(err, change.want) {
				t.Errorf("%s, %s: %v", algorithm, name, err)
			}
		}
		for n := range 130 {
			if _, err := Parse(der[:n]); !errors.Is(err, ErrFormat) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
		s.Signature = s.Signature[1:]
		if short, err := s.encode(); err != nil {
			t.Error(err)
		} else if s, err = Parse(short); err != nil || !errors.Is(s.CheckBy(mldsa.Checker(), cert, []byte("payload")), keys.ErrSignature) {
			t.Errorf("%s: a signature cut short passes (%v)", algorithm, err)
		}
		if _, err := Encode(cert, s.Signature); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("%s: a signature cut short is encoded: %v", algorithm, err)
		}
	}
}
