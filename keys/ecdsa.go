package keys

import (
	"crypto/elliptic"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// NormalizeECDSA returns the one encoding that tbpf takes of an ECDSA
// signature: a SEQUENCE of r and s in minimal DER, both within 1 and the
// curve's order, s replaced by its negative where that is lower. The input may
// have the other s but no other freedom. Whoever can change s so needs no key
// for it: without this rule a signature would have two encodings.
//
// The error has ErrSignature in its chain.
func NormalizeECDSA(sig []byte, curve elliptic.Curve) ([]byte, error) {
	r, s, err := parseECDSA(sig)
	if err != nil {
		return nil, err
	}
	n := curve.Params().N
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return nil, fmt.Errorf("%w: r or s is not within 1 and the curve's order", ErrSignature)
	}
	if s.Cmp(new(big.Int).Rsh(n, 1)) <= 0 {
		return sig, nil
	}
	s.Sub(n, s)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	return b.Bytes()
}

// parseECDSA reads an ECDSA-Sig-Value (RFC 3279 section 2.2.3). cryptobyte
// refuses lengths and integers that are not minimal.
func parseECDSA(sig []byte) (r, s *big.Int, err error) {
	r, s = new(big.Int), new(big.Int)
	in, seq := cryptobyte.String(sig), cryptobyte.String(nil)
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadASN1Integer(r) || !seq.ReadASN1Integer(s) || !seq.Empty() {
		return nil, nil, fmt.Errorf("%w: not an ECDSA signature in DER", ErrSignature)
	}
	return r, s, nil
}
