package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
)

// Limits of RSA keys, in bits.
const (
	minRSABits       = 2048
	maxRSABits       = 8192 // the time of a check grows with the square of the size
	maxKernelRSABits = 4096
	minRSAExponent   = 65537
)

// KeyReason says why a key is not taken. Values are stable kebab-case.
type KeyReason string

// The reasons of a KeyError.
const (
	KeyUnsupported  KeyReason = "unsupported-key"    // a type or curve that tbpf does not know
	KeyWeak         KeyReason = "weak-key"           // a size or exponent that is not safe
	KeyMalformed    KeyReason = "malformed-key"      // not a key, or not in its one encoding
	KeyNotForKernel KeyReason = "key-not-for-kernel" // good, but not for kernel signatures
)

// KeyError says that a public key cannot be used.
type KeyError struct {
	Reason KeyReason
	Detail string
}

func (e *KeyError) Error() string { return e.Detail }

// ID names a key: the SHA-256 of its SubjectPublicKeyInfo in DER.
type ID [sha256.Size]byte

// String returns the ID in lower-case hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IDOf returns the ID of a key, or a *KeyError if it is one that tbpf does not
// take. It encodes the key anew, so that a second encoding of one key, if a
// parser let it through, has no second ID.
func IDOf(pub crypto.PublicKey) (ID, error) {
	der, err := MarshalPublic(pub)
	if err != nil {
		return ID{}, err
	}
	return sha256.Sum256(der), nil
}

// ParsePublic reads a SubjectPublicKeyInfo. It accepts exactly what
// MarshalPublic returns for a key, no second encoding.
func ParsePublic(der []byte) (crypto.PublicKey, error) {
	if k := parseMLDSA(der); k != nil {
		return k, nil
	}
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, &KeyError{Reason: KeyMalformed, Detail: fmt.Sprintf("parse public key: %v", err)}
	}
	again, err := MarshalPublic(pub)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, der) {
		return nil, &KeyError{Reason: KeyMalformed, Detail: "the public key is not in its one DER encoding"}
	}
	return pub, nil
}

// CheckPublic returns nil for a key that tbpf takes: ECDSA on P-256, P-384 or
// P-521, RSA of 2048 to 8192 bits with an odd exponent from 65537 on, Ed25519, and
// ML-DSA-65 and ML-DSA-87.
func CheckPublic(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return checkECDSA(k)
	case *rsa.PublicKey:
		return checkRSA(k)
	case ed25519.PublicKey:
		return checkEd25519(k)
	case *MLDSAPublicKey:
		return checkMLDSA(k)
	default:
		return &KeyError{Reason: KeyUnsupported, Detail: fmt.Sprintf("keys of type %T are not supported", pub)}
	}
}

func checkECDSA(k *ecdsa.PublicKey) error {
	if k == nil || k.Curve == nil {
		return &KeyError{Reason: KeyMalformed, Detail: "the ECDSA key has no curve"}
	}
	switch k.Curve {
	case elliptic.P256(), elliptic.P384(), elliptic.P521():
	default:
		return &KeyError{Reason: KeyUnsupported, Detail: fmt.Sprintf("curve %s is not supported", k.Curve.Params().Name)}
	}
	if _, err := k.Bytes(); err != nil { // the point is on the curve and not at infinity
		return &KeyError{Reason: KeyMalformed, Detail: "the ECDSA key is no point of its curve"}
	}
	return nil
}

func checkRSA(k *rsa.PublicKey) error {
	if k == nil || k.N == nil || k.N.Sign() <= 0 || k.N.Bit(0) == 0 {
		return &KeyError{Reason: KeyMalformed, Detail: "the RSA key has no odd modulus"}
	}
	if n := k.N.BitLen(); n < minRSABits || n > maxRSABits {
		return &KeyError{Reason: KeyWeak, Detail: fmt.Sprintf("RSA keys have %d to %d bits: this one has %d", minRSABits, maxRSABits, n)}
	}
	// Small exponents make forgeries of sloppy padding checks cheap, even ones
	// are no RSA keys at all; FIPS 186-5 section 5.1 has the same lower bound.
	if k.E < minRSAExponent || k.E&1 == 0 {
		return &KeyError{Reason: KeyWeak, Detail: fmt.Sprintf("RSA exponents are odd and at least %d: this one is %d", minRSAExponent, k.E)}
	}
	return nil
}
