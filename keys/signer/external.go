package signer

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"

	"github.com/trustedbpf/tbpf/keys"
)

// External makes a Signer of signatures that somebody else makes: lookup
// returns the one of a digest, or of the message itself where the algorithm
// takes that. ECDSA signatures may also be r and s in a row, as many HSMs give
// them. As with every key, Sign gives out none that is wrong.
func External(public crypto.PublicKey, lookup func(digest []byte) ([]byte, error)) (*Signer, error) {
	return New(&external{public, lookup})
}

type external struct {
	public crypto.PublicKey
	lookup func(digest []byte) ([]byte, error)
}

// Public implements crypto.Signer.
func (e *external) Public() crypto.PublicKey { return e.public }

// Sign implements crypto.Signer.
func (e *external) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	if e.lookup == nil {
		return nil, errors.New("there is no signature yet")
	}
	sig, err := e.lookup(digest)
	k, ok := e.public.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return sig, err
	}
	size := (k.Curve.Params().BitSize + 7) / 8
	if _, err := keys.NormalizeECDSA(sig, k.Curve); err == nil || len(sig) != 2*size {
		return sig, nil
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])})
}
