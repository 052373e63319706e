package keys

import (
	"bytes"
	"crypto/x509"
	"errors"
)

// MLDSAPublicKey is a public key of ML-DSA (FIPS 204, RFC 9881). It is
// experimental. Nothing here checks signatures by it: see Checker.
//
// It is a type of tbpf's own because crypto/x509 of Go 1.26 has none, and
// because the trusted loader, which has no room for the algorithm, must know
// such a key when it sees one.
type MLDSAPublicKey struct {
	Algorithm Algorithm // MLDSA65 or MLDSA87: the parameter set
	Key       []byte    // as FIPS 204 encodes it: every value of the right length is a key
}

// ErrUnchecked, which is never wrapped, says that a signature is by a key of a
// kind that this program does not check. It may be right or wrong.
var ErrUnchecked = errors.New("this program does not check ML-DSA signatures")

// Checker checks signatures. The zero value checks those of all algorithms but
// ML-DSA, as Verify does.
type Checker struct {
	// MLDSA reports whether sig is the signature of message, pure and with an
	// empty context, by a key of this parameter set. Without it such signatures
	// are refused with ErrUnchecked. Package keys/mldsa has one.
	MLDSA func(alg Algorithm, public, message, sig []byte) bool
}

func (c Checker) checkMLDSA(k *MLDSAPublicKey, message, sig []byte) error {
	_, size := k.Algorithm.mldsaSizes()
	switch {
	case len(sig) != size:
		return ErrSignature
	case c.MLDSA == nil:
		return ErrUnchecked
	case !c.MLDSA(k.Algorithm, k.Key, message, sig):
		return ErrSignature
	}
	return nil
}

// mldsaSizes has the sizes of a parameter set, in bytes (FIPS 204 table 2); zero
// for what is no ML-DSA.
func (a Algorithm) mldsaSizes() (public, signature int) {
	switch a {
	case MLDSA65:
		return 1952, 3309
	case MLDSA87:
		return 2592, 4627
	}
	return 0, 0
}

func checkMLDSA(k *MLDSAPublicKey) error {
	if k != nil {
		if n, _ := k.Algorithm.mldsaSizes(); n != 0 && n == len(k.Key) {
			return nil
		}
	}
	return &KeyError{Reason: KeyMalformed, Detail: "the ML-DSA key has not the length of ML-DSA-65 or ML-DSA-87"}
}

// parseMLDSA reads a SubjectPublicKeyInfo in its one encoding; nil is another
// key or none.
func parseMLDSA(der []byte) *MLDSAPublicKey {
	for a := MLDSA65; a <= MLDSA87; a++ {
		head := spkiHead(a)
		if n, _ := a.mldsaSizes(); len(der) == len(head)+n && string(der[:len(head)]) == head {
			return &MLDSAPublicKey{a, bytes.Clone(der[len(head):])}
		}
	}
	return nil
}

// signedWithMLDSA reports whether a certificate of an ML-DSA key is one that
// the key itself signed for a signer: another is not taken, for nothing here
// could check who issued it. As with every self-signed certificate its
// signature is not asked, but it must have the form of one.
func signedWithMLDSA(cert *x509.Certificate) bool {
	k, ok := cert.PublicKey.(*MLDSAPublicKey)
	if !ok || IsCA(cert) || !bytes.Equal(cert.RawSubject, cert.RawIssuer) {
		return false
	}
	// x509 does not say which algorithm it does not know. A certificate that has
	// such a key begins with a header of four bytes. The same AlgorithmIdentifier
	// names key and signature (RFC 9881 section 2).
	_, size := k.Algorithm.mldsaSizes()
	return len(cert.Signature) == size &&
		bytes.HasPrefix(cert.Raw[4+len(cert.RawTBSCertificate):], []byte(spkiHead(k.Algorithm)[4:17]))
}
