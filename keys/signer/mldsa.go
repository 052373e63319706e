package signer

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"io"

	mldsalib "filippo.io/mldsa"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
)

// mldsaKey is a private key of ML-DSA, with the public key as package keys has
// it.
type mldsaKey struct {
	algorithm keys.Algorithm
	key       *mldsalib.PrivateKey
}

func generateMLDSA(alg keys.Algorithm) (crypto.Signer, error) {
	set, ok := mldsa.Parameters(alg)
	if !ok {
		return nil, errors.New("no parameter set of ML-DSA")
	}
	key, err := mldsalib.GenerateKey(set)
	if err != nil {
		return nil, err
	}
	return &mldsaKey{alg, key}, nil
}

// Public implements crypto.Signer.
func (k *mldsaKey) Public() crypto.PublicKey {
	return &keys.MLDSAPublicKey{Algorithm: k.algorithm, Key: k.key.PublicKey().Bytes()}
}

// Sign implements crypto.Signer: pure ML-DSA of the message itself, with an
// empty context, and hedged with fresh randomness (FIPS 204 section 3.4).
func (k *mldsaKey) Sign(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != nil && opts.HashFunc() != 0 {
		return nil, errors.New("ML-DSA signs the message, not a digest")
	}
	return k.key.Sign(random, message, &mldsalib.Options{})
}

// seedTag is that of the one form of the private key that is written and read,
// the seed (RFC 9881 section 6): [0] IMPLICIT OCTET STRING.
const seedTag = casn1.Tag(0 | 0x80)

func oidMLDSA(alg keys.Algorithm) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18 + int(alg-keys.MLDSA65)}
}

// marshal returns PKCS#8.
func (k *mldsaKey) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidMLDSA(k.algorithm)) })
		b.AddASN1(casn1.OCTET_STRING, func(b *cryptobyte.Builder) {
			b.AddASN1(seedTag, func(b *cryptobyte.Builder) { b.AddBytes(k.key.Bytes()) })
		})
	})
	return b.Bytes()
}

// mldsaOf returns the algorithm of a PKCS#8 key of ML-DSA, 0 of any other.
func mldsaOf(der []byte) keys.Algorithm {
	alg, _, _ := readMLDSA(der)
	return alg
}

// readMLDSA takes PKCS#8 apart as far as there is an ML-DSA key in it. whole
// says that this is all there is.
func readMLDSA(der []byte) (alg keys.Algorithm, private cryptobyte.String, whole bool) {
	var info, identifier cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	in := cryptobyte.String(der)
	if !in.ReadASN1(&info, casn1.SEQUENCE) || !info.ReadASN1Integer(&version) || version != 0 ||
		!info.ReadASN1(&identifier, casn1.SEQUENCE) || !identifier.ReadASN1ObjectIdentifier(&oid) {
		return 0, nil, false
	}
	for _, known := range []keys.Algorithm{keys.MLDSA65, keys.MLDSA87} {
		if oid.Equal(oidMLDSA(known)) {
			alg = known
		}
	}
	whole = info.ReadASN1(&private, casn1.OCTET_STRING) && info.Empty() && in.Empty() && identifier.Empty()
	return alg, private, whole
}

// parseMLDSA reads PKCS#8 with the seed. openssl writes the expanded key beside
// it unless told otherwise: nothing here could say that the two belong together.
func parseMLDSA(der []byte, alg keys.Algorithm, source string) (crypto.Signer, error) {
	_, private, whole := readMLDSA(der)
	var seed cryptobyte.String
	if !whole || !private.ReadASN1(&seed, seedTag) || !private.Empty() || len(seed) != mldsalib.PrivateKeySize {
		return nil, &Error{Source: source, Reason: ReasonUnsupported, Detail: "it is an ML-DSA key, and not the seed alone",
			Hint: "convert it: openssl pkey -in KEY -provparam ml-dsa.output_formats=seed-only -out NEW"}
	}
	set, _ := mldsa.Parameters(alg)
	key, err := mldsalib.NewPrivateKey(set, seed)
	if err != nil {
		return nil, &Error{Source: source, Reason: ReasonMalformed, Detail: "it is no ML-DSA key"}
	}
	return &mldsaKey{alg, key}, nil
}
