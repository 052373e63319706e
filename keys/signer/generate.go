package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/trustedbpf/tbpf/keys"
)

// DefaultAlgorithm is what keygen makes unless told otherwise: the smallest
// signatures, and the fastest to check, of those that the kernel takes.
const DefaultAlgorithm = "ecdsa-p256"

// Algorithms lists the kinds of keys that Generate makes.
func Algorithms() []string {
	return []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072", "rsa-4096", "ed25519", "ml-dsa-65", "ml-dsa-87"}
}

// Generate makes a new private key of one of Algorithms.
func Generate(algorithm string) (*Signer, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa-3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ml-dsa-65":
		key, err = generateMLDSA(keys.MLDSA65)
	case "ml-dsa-87":
		key, err = generateMLDSA(keys.MLDSA87)
	default:
		return nil, fmt.Errorf("generate key: unknown algorithm %q: want one of %s", algorithm, strings.Join(Algorithms(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return New(key)
}

// MarshalEncrypted returns the private key as encrypted sigstore PEM, which
// cosign reads. An empty password is an error: MarshalPlain says what it does.
func (s *Signer) MarshalEncrypted(password []byte) ([]byte, error) {
	if len(password) == 0 {
		return nil, errors.New("encrypt private key: the password is empty")
	}
	der, err := s.marshal()
	if err != nil {
		return nil, err
	}
	defer clear(der)
	data, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, fmt.Errorf("encrypt private key: %w", err)
	}
	return cryptoutils.PEMEncode(cryptoutils.EncryptedSigstorePrivateKeyPEMType, data), nil
}

// MarshalPlain returns the private key as PKCS#8 in PEM, which whoever reads
// the file can use.
func (s *Signer) MarshalPlain() ([]byte, error) {
	der, err := s.marshal()
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: der}), nil
}

func (s *Signer) marshal() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.key == nil {
		return nil, ErrClosed
	}
	if k, ok := s.key.(*mldsaKey); ok {
		return k.marshal()
	}
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil { // a key that lives elsewhere
		return nil, errors.New("encode private key: this kind of key cannot be written down")
	}
	return der, nil
}
