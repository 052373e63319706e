package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// spkiHead is what the SubjectPublicKeyInfo of every key of a kind begins with:
// lengths, AlgorithmIdentifier, and the head of the BIT STRING that the key is
// in. RSA keys, which are of different lengths, have none. RFC 5480 sections
// 2.1.1 and 2.1.1.1, RFC 8410 section 3, RFC 9881 section 2.
func spkiHead(a Algorithm) string {
	const ec = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"        // 1.2.840.10045.2.1
	const mldsa = "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03" // 2.16.840.1.101.3.4.3
	switch a {
	case ECDSAP256SHA256: // 1.2.840.10045.3.1.7
		return "\x30\x59\x30\x13" + ec + "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
	case ECDSAP384SHA384: // 1.3.132.0.34
		return "\x30\x76\x30\x10" + ec + "\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"
	case ECDSAP521SHA512: // 1.3.132.0.35
		return "\x30\x81\x9b\x30\x10" + ec + "\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00"
	case Ed25519: // 1.3.101.112
		return "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"
	case MLDSA65: // 18
		return "\x30\x82\x07\xb2\x30\x0b" + mldsa + "\x12\x03\x82\x07\xa1\x00"
	case MLDSA87: // 19
		return "\x30\x82\x0a\x32\x30\x0b" + mldsa + "\x13\x03\x82\x0a\x21\x00"
	}
	return ""
}

// rsaIdentifier is the AlgorithmIdentifier of RSA keys: 1.2.840.113549.1.1.1 and
// NULL (RFC 3279 section 2.3.1).
const rsaIdentifier = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"

// MarshalPublic returns the SubjectPublicKeyInfo of a key in DER, or a *KeyError
// for one that CheckPublic does not take. It is what x509.MarshalPKIXPublicKey
// returns; that one encodes by reflection, and with what comes with it is a
// hundredth of the trusted loader.
func MarshalPublic(pub crypto.PublicKey) ([]byte, error) {
	alg, err := AlgorithmFor(pub)
	if err != nil {
		return nil, err
	}
	var bits []byte
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if bits, err = k.Bytes(); err != nil {
			return nil, &KeyError{Reason: KeyMalformed, Detail: err.Error()}
		}
	case ed25519.PublicKey:
		bits = k
	case *MLDSAPublicKey:
		bits = k.Key
	case *rsa.PublicKey:
		return encodeRSA(k)
	}
	return append([]byte(spkiHead(alg)), bits...), nil
}

func encodeRSA(k *rsa.PublicKey) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes([]byte(rsaIdentifier))
		b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) {
			b.AddUint8(0) // no bit of the last byte is unused
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1BigInt(k.N)
				b.AddASN1Int64(int64(k.E))
			})
		})
	})
	return b.Bytes()
}
