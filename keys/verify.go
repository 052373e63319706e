package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
)

// ErrSignature is in the chain of every error that says: this is not a
// signature of this message by this key. A wrong encoding of a right signature
// is such an error too.
var ErrSignature = errors.New("bad signature")

// Verify returns nil if sig is the signature of message by pub under alg, in
// the one encoding that tbpf makes: ECDSA in minimal DER with the lower of the
// two possible values of s, RSA with exactly the modulus' length.
//
// Errors are *KeyError, if the key is not taken, or have ErrSignature or
// ErrUnchecked in their chain. It is the zero Checker's Verify.
func Verify(pub crypto.PublicKey, alg Algorithm, message, sig []byte) error {
	return Checker{}.Verify(pub, alg, message, sig)
}

// VerifyAnyS is Verify for signatures that other programs made: of ECDSA it
// takes either value of s, still in minimal DER. Nothing that must have one
// encoding, a seal above all, may be checked with it.
func VerifyAnyS(pub crypto.PublicKey, alg Algorithm, message, sig []byte) error {
	return Checker{}.VerifyAnyS(pub, alg, message, sig)
}

// Verify is the function of this name, of all that the Checker can check.
func (c Checker) Verify(pub crypto.PublicKey, alg Algorithm, message, sig []byte) error {
	return c.verify(pub, alg, message, sig, false)
}

// VerifyAnyS is the function of this name, of all that the Checker can check.
func (c Checker) VerifyAnyS(pub crypto.PublicKey, alg Algorithm, message, sig []byte) error {
	return c.verify(pub, alg, message, sig, true)
}

func (c Checker) verify(pub crypto.PublicKey, alg Algorithm, message, sig []byte, anyS bool) error {
	if err := CheckPublic(pub); err != nil {
		return err
	}
	if !alg.fits(pub) {
		return fmt.Errorf("%w: %v does not fit the key", ErrSignature, alg)
	}
	switch k := pub.(type) {
	case *MLDSAPublicKey:
		return c.checkMLDSA(k, message, sig)
	case *ecdsa.PublicKey:
		low, err := NormalizeECDSA(sig, k.Curve)
		if err != nil {
			return err
		}
		if !anyS && string(low) != string(sig) {
			return fmt.Errorf("%w: of the two values of s, the higher is not taken", ErrSignature)
		}
	}
	return verifyMath(pub, alg, message, sig)
}

// verifyMath checks a signature whose key, algorithm and encoding fit.
func verifyMath(pub crypto.PublicKey, alg Algorithm, message, sig []byte) error {
	digest := message
	if h := alg.Hash(); h != 0 {
		w := h.New()
		w.Write(message)
		digest = w.Sum(nil)
	}
	ok := false
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, digest, sig)
	case *rsa.PublicKey:
		// Both functions refuse another length than the modulus' and values
		// over it, which would be second encodings.
		switch alg {
		case RSAPKCS1v15SHA256:
			ok = rsa.VerifyPKCS1v15(k, alg.Hash(), digest, sig) == nil
		case RSAPSSSHA256:
			ok = rsa.VerifyPSS(k, alg.Hash(), digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: alg.Hash()}) == nil
		}
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, message, sig)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}
