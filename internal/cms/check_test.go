package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"

	"github.com/trustedbpf/tbpf/keys"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// certify makes a certificate as far as this package looks at one.
func certify(t testing.TB, key crypto.Signer, keyID []byte, serial int64) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, SubjectKeyId: keyID}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signECDSA returns both signatures that one signing gives: s low and high.
func signECDSA(t testing.TB, key *ecdsa.PrivateKey, payload []byte) (low, high []byte) {
	t.Helper()
	hash, err := Hash(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w := hash.New()
	w.Write(payload)
	sig, err := key.Sign(rand.Reader, w.Sum(nil), hash)
	if err != nil {
		t.Fatal(err)
	}
	if low, err = keys.NormalizeECDSA(sig, key.Curve); err != nil {
		t.Fatal(err)
	}
	var in, inner cryptobyte.String = low, nil
	r, s := new(big.Int), new(big.Int)
	if !in.ReadASN1(&inner, casn1.SEQUENCE) || !inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) {
		t.Fatal("not a signature")
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s.Sub(key.Curve.Params().N, s))
	})
	return low, b.BytesOrPanic()
}

func TestEncodeTakesLowerS(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key := newKey(t, curve)
		cert := certify(t, key, []byte{1, 2, 3}, 7)
		low, high := signECDSA(t, key, []byte("payload"))
		want, err := Encode(cert, low)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Encode(cert, high)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the higher s makes other bytes (%v)", curve.Params().Name, err)
		}
		s, err := Parse(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(cert, []byte("payload")); err != nil {
			t.Error(err)
		}
		s.Signature = high
		if err := s.Check(cert, []byte("payload")); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("%s: high s passes Check: %v", curve.Params().Name, err)
		}
		if err := s.CheckAnyS(cert, []byte("payload")); err != nil {
			t.Errorf("%s: high s: %v", curve.Params().Name, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	key := newKey(t, elliptic.P256())
	cert := certify(t, key, []byte{1, 2, 3}, 7)
	low, _ := signECDSA(t, key, []byte("payload"))
	rsaCert := readCertificate(t, "testdata", "rsa2048.crt")
	for form, encode := range map[string]func(*x509.Certificate, []byte) ([]byte, error){"key id": Encode, "issuer and serial": EncodeIssuerSerial} {
		der, err := encode(cert, low)
		if err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			cert    *x509.Certificate
			payload string
			change  func(*SignedData)
			want    error
		}{
			"other payload":       {cert, "payloae", nil, keys.ErrSignature},
			"payload with a tail": {cert, "payload\x00", nil, keys.ErrSignature},
			"other identifiers":   {certify(t, key, []byte{1, 2, 4}, 8), "payload", nil, ErrSigner},
			"same ids, other key": {certify(t, newKey(t, elliptic.P256()), []byte{1, 2, 3}, 7), "payload", nil, keys.ErrSignature},
			"another curve":       {certify(t, newKey(t, elliptic.P384()), []byte{1, 2, 3}, 7), "payload", nil, ErrSigner},
			"an RSA certificate":  {rsaCert, "payload", func(s *SignedData) { s.SubjectKeyID, s.Issuer, s.Serial = rsaCert.SubjectKeyId, nil, nil }, ErrSigner},
			"said to be RSA":      {cert, "payload", func(s *SignedData) { s.Algorithm = keys.RSAPKCS1v15SHA256 }, ErrSigner},
			"another digest":      {cert, "payload", func(s *SignedData) { s.Algorithm = keys.ECDSAP521SHA512 }, ErrSigner},
		} {
			t.Run(form+", "+name, func(t *testing.T) {
				s, err := Parse(der)
				if err != nil {
					t.Fatal(err)
				}
				if test.change != nil {
					test.change(s)
				}
				for _, check := range []func(*x509.Certificate, []byte) error{s.Check, s.CheckAnyS} {
					if err := check(test.cert, []byte(test.payload)); !errors.Is(err, test.want) {
						t.Errorf("%v, want %v", err, test.want)
					}
				}
			})
		}
	}
}

// Issuer and serial number must both be the certificate's.
func TestCheckComparesIssuerAndSerial(t *testing.T) {
	key := newKey(t, elliptic.P256())
	cert := certify(t, key, []byte{1}, 7)
	low, _ := signECDSA(t, key, []byte("payload"))
	for name, change := range map[string]func(*SignedData){
		"issuer": func(s *SignedData) { s.Issuer = seq() },
		"serial": func(s *SignedData) { s.Serial = big.NewInt(8) },
		"nobody": func(s *SignedData) { s.Serial = nil },
	} {
		der, err := EncodeIssuerSerial(cert, low)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(cert, []byte("payload")); err != nil {
			t.Fatal(err)
		}
		change(s)
		if err := s.Check(cert, []byte("payload")); !errors.Is(err, ErrSigner) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	key := newKey(t, elliptic.P256())
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	low, _ := signECDSA(t, key, []byte("payload"))
	rsaCert := readCertificate(t, "testdata", "rsa2048.crt")

	ed := certify(t, edKey, []byte{1}, 7)
	var keyErr *keys.KeyError
	for name, f := range map[string]func() error{
		"Encode":             func() error { _, err := Encode(ed, make([]byte, 64)); return err },
		"EncodeIssuerSerial": func() error { _, err := EncodeIssuerSerial(ed, make([]byte, 64)); return err },
		"Check":              func() error { return (&SignedData{SubjectKeyID: []byte{1}}).Check(ed, nil) },
		"Hash":               func() error { _, err := Hash(edKey.Public()); return err },
	} {
		if err := f(); !errors.As(err, &keyErr) || keyErr.Reason != keys.KeyNotForKernel {
			t.Errorf("%s with Ed25519: %v", name, err)
		}
	}
	var certErr *keys.CertificateError
	if _, err := Encode(certify(t, key, nil, 7), low); !errors.As(err, &certErr) || certErr.Reason != keys.CertificateNoKeyID {
		t.Errorf("without a key identifier: %v", err)
	}
	for name, sig := range map[string][]byte{"no": {}, "a raw": make([]byte, 64), "a trailing": append(bytes.Clone(low), 0)} {
		if _, err := Encode(certify(t, key, []byte{1}, 7), sig); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("%s ECDSA signature: %v", name, err)
		}
	}
	for _, n := range []int{0, 255, 257, 512} {
		if _, err := Encode(rsaCert, make([]byte, n)); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("RSA signature of %d bytes: %v", n, err)
		}
	}
	if _, err := Encode(certify(t, key, make([]byte, MaxSize), 7), low); err == nil {
		t.Error("a signature that the kernel finds too long is made")
	}
	if _, err := (&SignedData{Algorithm: keys.Ed25519}).encode(); !errors.Is(err, ErrFormat) {
		t.Errorf("SHA-1: %v", err)
	}
}

func TestHashOfEachKey(t *testing.T) {
	rsaCert := readCertificate(t, "testdata", "rsa2048.crt")
	for want, pub := range map[crypto.Hash]crypto.PublicKey{crypto.SHA256: rsaCert.PublicKey, crypto.SHA384: newKey(t, elliptic.P384()).Public(), crypto.SHA512: newKey(t, elliptic.P521()).Public()} {
		if got, err := Hash(pub); err != nil || got != want {
			t.Errorf("%T: %v, %v; want %v", pub, got, err, want)
		}
	}
}
