// Package cms has the two forms of the Cryptographic Message Syntax (RFC 5652)
// that tbpf takes as the kernel's signature of a BPF program: SignedData over
// detached id-data, one SignerInfo, no attributes, no CRLs; and either no
// certificates, or the signer's and those of the CAs between it and the one that
// the kernel's keyring has.
//
// It guarantees that what Parse accepts has exactly one encoding: its result
// encoded again is the input. As there are no signed attributes, the value
// inside is a plain signature over the payload, which any signer can make.
//
// sign and verify import it. It imports keys and nothing else of tbpf.
package cms

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"github.com/trustedbpf/tbpf/keys"
)

// MaxSize is the most that the kernel takes, in bytes: KMALLOC_MAX_CACHE_SIZE
// with pages of 4 KiB (bpf_prog_verify_signature).
const MaxSize = 8192

// ErrFormat is in the chain of every error that says: these bytes are not of
// the form that the kernel takes, or not in its one encoding.
var ErrFormat = errors.New("malformed kernel signature")

// ErrSigner is in the chain of an error that says: this signature names
// another signer than the certificate's, or another algorithm than its key's.
var ErrSigner = errors.New("kernel signature of another signer")

func formatError(why string) error { return fmt.Errorf("%w: %s", ErrFormat, why) }

// SignedData is a kernel signature that was parsed. It names its signer either
// by SubjectKeyID (versions 3 and 3) or by Issuer and Serial (1 and 1).
type SignedData struct {
	SubjectKeyID []byte   // nil in form 1/1
	Issuer       []byte   // the Name in DER; nil in form 3/3
	Serial       *big.Int // nil in form 3/3
	Algorithm    keys.Algorithm
	Signature    []byte   // a plain signature over the payload
	Certificates [][]byte // in DER, ascending as bytes, only in form 1/1; nil without
}

// Hash returns the digest that kernel signatures by this key are made with, 0 for
// ML-DSA, or a *keys.KeyError if the kernel takes none by it.
func Hash(pub crypto.PublicKey) (crypto.Hash, error) {
	alg, err := algorithm(pub)
	if err != nil {
		return 0, err
	}
	return alg.Hash(), nil
}

func algorithm(pub crypto.PublicKey) (keys.Algorithm, error) {
	alg, err := keys.AlgorithmFor(pub)
	if alg == keys.MLDSA65 || alg == keys.MLDSA87 {
		return alg, nil // some kernels take it, as KernelKey says: sign asks
	}
	if err == nil {
		err = keys.KernelKey(pub)
	}
	return alg, err
}

// Check returns nil if the signature is the certificate's over the payload, in
// the one form that tbpf makes: the certificate's SubjectKeyIdentifier or its
// issuer and serial number inside, the digest that belongs to the key, ECDSA
// with the lower s. Which certificates it carries is the caller's to compare.
//
// Errors have ErrSigner, keys.ErrSignature or keys.ErrUnchecked in their chain, or are a
// *keys.KeyError. It does not ask whether the certificate is valid or trusted.
func (s *SignedData) Check(cert *x509.Certificate, payload []byte) error {
	return s.CheckBy(keys.Checker{}, cert, payload)
}

// CheckBy is Check with a checker that knows more algorithms.
func (s *SignedData) CheckBy(checker keys.Checker, cert *x509.Certificate, payload []byte) error {
	if err := s.fits(cert); err != nil {
		return err
	}
	return checker.Verify(cert.PublicKey, s.Algorithm, payload, s.Signature)
}

// CheckAnyS is Check for signatures that other programs made, in which ECDSA's
// s has either value. Encode gives them their one form afterwards.
func (s *SignedData) CheckAnyS(cert *x509.Certificate, payload []byte) error {
	if err := s.fits(cert); err != nil {
		return err
	}
	return keys.VerifyAnyS(cert.PublicKey, s.Algorithm, payload, s.Signature)
}

// fits returns nil if the signature names the certificate and its key's algorithm.
func (s *SignedData) fits(cert *x509.Certificate) error {
	alg, err := algorithm(cert.PublicKey)
	if err != nil {
		return err
	}
	if !s.names(cert) {
		return fmt.Errorf("%w: the signer's identifier is not the certificate's", ErrSigner)
	}
	if s.Algorithm != alg {
		return fmt.Errorf("%w: signatures by this certificate's key are %v", ErrSigner, alg)
	}
	return nil
}
