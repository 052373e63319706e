package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// update writes testdata and docs/format.md anew: go test ./verify -update.
// Keys are made only where they are missing, because everything depends on them.
var update = flag.Bool("update", false, "write testdata/vectors, testdata/bad and the examples of docs/format.md")

func TestMain(m *testing.M) {
	flag.Parse()
	if *update {
		if err := errors.Join(makeKeys(), makeKeyring()); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// keyKinds are the keys of testdata/vectors/keys. Those whose names end in
// "-bare" have no certificate.
func keyKinds() map[string]func() (crypto.Signer, error) {
	curve := func(c elliptic.Curve) func() (crypto.Signer, error) {
		return func() (crypto.Signer, error) { return ecdsa.GenerateKey(c, rand.Reader) }
	}
	return map[string]func() (crypto.Signer, error){
		"p256":                curve(elliptic.P256()),
		"p256-other":          curve(elliptic.P256()), // in no keyring of the vectors
		"p384":                curve(elliptic.P384()),
		"p521":                curve(elliptic.P521()),
		"p256-expired":        curve(elliptic.P256()), // until 2021
		"p256-future":         curve(elliptic.P256()), // from 2100 on
		"p256-ca":             curve(elliptic.P256()),
		"p256-no-codesigning": curve(elliptic.P256()),
		"rsa2048":             func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"ed25519-bare": func() (crypto.Signer, error) {
			_, k, err := ed25519.GenerateKey(rand.Reader)
			return k, err
		},
	}
}

func makeKeys() error {
	dir := filepath.Join(vectorDir, "keys")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, generate := range keyKinds() {
		path := filepath.Join(dir, name+".key")
		if _, err := os.Stat(path); err == nil {
			continue
		}
		k, err := generate()
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return err
		}
		if err := writePEM(path, "PRIVATE KEY", der); err != nil {
			return err
		}
		spki, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, name+".pub"), "PUBLIC KEY", spki); err != nil {
			return err
		}
		if name == "ed25519-bare" {
			continue
		}
		cert, err := certify(k, certTemplate(name, spki))
		if err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", cert); err != nil {
			return err
		}
	}
	return nil
}

func certTemplate(name string, spki []byte) *x509.Certificate {
	skid := sha256.Sum256(spki)
	c := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "tbpf test key " + name},
		NotBefore:             time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true,
		SubjectKeyId:          skid[:20],
	}
	switch name {
	case "p256-expired":
		c.NotBefore, c.NotAfter = c.NotBefore.AddDate(-6, 0, 0), c.NotBefore.AddDate(-5, 0, 0)
	case "p256-future":
		c.NotBefore, c.NotAfter = c.NotBefore.AddDate(74, 0, 0), c.NotBefore.AddDate(84, 0, 0)
	case "p256-ca":
		c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign
	case "p256-no-codesigning":
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	return c
}

// trustedKeys are the keys that the vectors trust, with certificates where
// they have some.
func trustedKeys() []string {
	return []string{"ed25519-bare", "p256", "p256-expired", "p256-future", "p384", "p521", "rsa2048"}
}

// makeKeyring copies what is trusted into a directory that --keyring takes,
// and makes one certificate more for the key p256: a reissued one.
func makeKeyring() error {
	from, to := filepath.Join(vectorDir, "keys"), filepath.Join(vectorDir, "keyring")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range trustedKeys() {
		file := name + ".crt"
		if strings.HasSuffix(name, "-bare") {
			file = name + ".pub"
		}
		data, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, file), data, 0o644); err != nil {
			return err
		}
	}
	reissued := filepath.Join(from, "p256.reissued.crt")
	if _, err := os.Stat(reissued); err == nil {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(from, "p256.key"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(data)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	spki, err := x509.MarshalPKIXPublicKey(k.(crypto.Signer).Public())
	if err != nil {
		return err
	}
	template := certTemplate("p256", spki)
	template.SerialNumber = big.NewInt(2)
	cert, err := certify(k.(crypto.Signer), template)
	if err != nil {
		return err
	}
	return writePEM(reissued, "CERTIFICATE", cert)
}

func certify(k crypto.Signer, template *x509.Certificate) ([]byte, error) {
	return x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644)
}
