package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // Algorithm.Hash promises that its digests are linked in
	_ "crypto/sha512"
	"fmt"
)

// Algorithm is a signature algorithm with its one digest. The numbers are part
// of the seal's format. The zero value is no algorithm.
type Algorithm uint8

// The algorithms, as docs/format.md numbers them.
const (
	ECDSAP256SHA256   Algorithm = 1
	ECDSAP384SHA384   Algorithm = 2
	ECDSAP521SHA512   Algorithm = 3
	RSAPKCS1v15SHA256 Algorithm = 4
	RSAPSSSHA256      Algorithm = 5 // MGF1 with SHA-256, salt of 32 bytes
	Ed25519           Algorithm = 6
	MLDSA65           Algorithm = 7 // pure, with an empty context; experimental
	MLDSA87           Algorithm = 8
)

// Algorithms lists all algorithms in the order of their numbers.
func Algorithms() []Algorithm {
	return []Algorithm{ECDSAP256SHA256, ECDSAP384SHA384, ECDSAP521SHA512, RSAPKCS1v15SHA256, RSAPSSSHA256, Ed25519, MLDSA65, MLDSA87}
}

// String returns the name that policy files, flags and JSON have.
func (a Algorithm) String() string {
	switch a {
	case ECDSAP256SHA256:
		return "ecdsa-p256-sha256"
	case ECDSAP384SHA384:
		return "ecdsa-p384-sha384"
	case ECDSAP521SHA512:
		return "ecdsa-p521-sha512"
	case RSAPKCS1v15SHA256:
		return "rsa-pkcs1v15-sha256"
	case RSAPSSSHA256:
		return "rsa-pss-sha256"
	case Ed25519:
		return "ed25519"
	case MLDSA65:
		return "ml-dsa-65"
	case MLDSA87:
		return "ml-dsa-87"
	default:
		return fmt.Sprintf("algorithm(%d)", uint8(a))
	}
}

// ParseAlgorithm is the inverse of String. It knows no other spelling.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range Algorithms() {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("unknown signature algorithm %q", name)
}

// Hash returns the digest that the message goes through before signing: 0 for
// Ed25519 and ML-DSA, which take the message itself, and for what is no algorithm.
func (a Algorithm) Hash() crypto.Hash {
	switch a {
	case ECDSAP256SHA256, RSAPKCS1v15SHA256, RSAPSSSHA256:
		return crypto.SHA256
	case ECDSAP384SHA384:
		return crypto.SHA384
	case ECDSAP521SHA512:
		return crypto.SHA512
	default:
		return 0
	}
}

// AlgorithmFor returns the algorithm that tbpf signs with under this key, or
// a *KeyError if the key is one that tbpf does not take.
func AlgorithmFor(pub crypto.PublicKey) (Algorithm, error) {
	if err := CheckPublic(pub); err != nil {
		return 0, err
	}
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return ECDSAP256SHA256, nil
		case elliptic.P384():
			return ECDSAP384SHA384, nil
		default: // CheckPublic leaves only P-521
			return ECDSAP521SHA512, nil
		}
	case *rsa.PublicKey:
		return RSAPKCS1v15SHA256, nil
	case *MLDSAPublicKey:
		return k.Algorithm, nil
	default: // CheckPublic leaves only Ed25519
		return Ed25519, nil
	}
}

// fits reports whether signatures of this algorithm can be made by this key,
// which CheckPublic has accepted.
func (a Algorithm) fits(pub crypto.PublicKey) bool {
	if _, ok := pub.(*rsa.PublicKey); ok {
		return a == RSAPKCS1v15SHA256 || a == RSAPSSSHA256
	}
	want, err := AlgorithmFor(pub)
	return err == nil && a == want
}

// KernelKey returns nil if the kernel can check signatures by this key, and a
// *KeyError with the reason otherwise: crypto/asymmetric_keys/public_key.c has
// no Ed25519, and its RSA takes at most 4096 bits (crypto/rsa.c). ML-DSA it has
// from 7.0 on where it was built with CONFIG_CRYPTO_MLDSA, which no kernel is that
// tbpf was tried on: whoever wants such a signature must say so.
func KernelKey(pub crypto.PublicKey) error {
	if err := CheckPublic(pub); err != nil {
		return err
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return &KeyError{Reason: KeyNotForKernel, Detail: "the kernel does not take Ed25519: such a key signs manifests only"}
	case *MLDSAPublicKey:
		return &KeyError{Reason: KeyNotForKernel, Detail: "kernels take ML-DSA only if they were built with CONFIG_CRYPTO_MLDSA: such a key signs manifests only"}
	case *rsa.PublicKey:
		if k.N.BitLen() > maxKernelRSABits {
			return &KeyError{Reason: KeyNotForKernel, Detail: fmt.Sprintf("the kernel does not take RSA keys over %d bits: this one has %d", maxKernelRSABits, k.N.BitLen())}
		}
	}
	return nil
}
