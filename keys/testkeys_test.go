package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// rsaKey makes one key of each size for all tests: making them is what takes
// the time.
var rsaKey = func() func(t testing.TB, bits int) *rsa.PrivateKey {
	var mu sync.Mutex
	made := map[int]*rsa.PrivateKey{}
	return func(t testing.TB, bits int) *rsa.PrivateKey {
		mu.Lock()
		defer mu.Unlock()
		if made[bits] == nil {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				t.Fatal(err)
			}
			made[bits] = key
		}
		return made[bits]
	}
}()

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signFor signs as the algorithm says, s of ECDSA as it comes.
func signFor(t testing.TB, key crypto.Signer, alg Algorithm, message []byte) []byte {
	t.Helper()
	digest := message
	if h := alg.Hash(); h != 0 {
		w := h.New()
		w.Write(message)
		digest = w.Sum(nil)
	}
	var opts crypto.SignerOpts = alg.Hash()
	if alg == RSAPSSSHA256 {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	sig, err := key.Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// noon is the time of all tests that need one.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// certificate makes a self-signed certificate that CheckCertificate takes at
// noon, unless change spoils it.
func certificate(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(7),
		Subject:               pkix.Name{CommonName: "test"},
		NotBefore:             noon.Add(-24 * time.Hour),
		NotAfter:              noon.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true,
		SubjectKeyId:          []byte{1, 2, 3, 4},
	}
	if change != nil {
		change(template)
	}
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

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func publicPEM(t testing.TB, pub crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// put writes files into dir, by name.
func put(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mldsaCertificate is one that openssl made, in PEM.
func mldsaCertificate(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("mldsa", "testdata", "ml-dsa-87.crt"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mldsaPublic(t testing.TB) []byte {
	t.Helper()
	der, err := MarshalPublic(&MLDSAPublicKey{MLDSA65, make([]byte, 1952)})
	if err != nil {
		t.Fatal(err)
	}
	return der
}
