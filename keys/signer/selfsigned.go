package signer

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/trustedbpf/tbpf/keys"
)

// ErrSelfSignedOnly says that of an ML-DSA key there are self-signed
// certificates of a signer only: crypto/x509 of Go 1.26 makes no others.
var ErrSelfSignedOnly = errors.New("an ML-DSA key gets a self-signed certificate of a signer only: no CA, no issuer, no request")

// selfSignMLDSA makes the certificate of a signer that a template describes, by
// its own key (RFC 5280 section 4.1, RFC 9881). It writes what the template of
// Certificate can have and nothing else.
func (s *Signer) selfSignMLDSA(t *x509.Certificate) ([]byte, error) {
	spki, err := keys.MarshalPublic(s.public)
	if err != nil {
		return nil, err
	}
	explicit := func(n uint8) casn1.Tag { return casn1.Tag(n).ContextSpecific().Constructed() }
	identifier := func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidMLDSA(s.algorithm)) })
	}
	name := func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 4, 3})
					b.AddASN1(casn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(t.Subject.CommonName)) })
				})
			})
		})
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // version 3
		b.AddASN1BigInt(t.SerialNumber)
		identifier(b)
		name(b)
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, t.NotBefore)
			addTime(b, t.NotAfter)
		})
		name(b)
		b.AddBytes(spki)
		b.AddASN1(explicit(3), func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addExtension(b, 15, true, func(b *cryptobyte.Builder) { // keyUsage: digitalSignature
					b.AddASN1(casn1.BIT_STRING, func(b *cryptobyte.Builder) { b.AddBytes([]byte{7, 0x80}) })
				})
				addExtension(b, 37, false, func(b *cryptobyte.Builder) { // extKeyUsage: codeSigning
					b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3})
					})
				})
				addExtension(b, 19, true, func(b *cryptobyte.Builder) { // basicConstraints: CA:FALSE
					b.AddASN1(casn1.SEQUENCE, func(*cryptobyte.Builder) {})
				})
				addExtension(b, 14, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(t.SubjectKeyId) })
			})
		})
	})
	signed, err := tbs.Bytes()
	if err != nil {
		return nil, err
	}
	value, err := s.Sign(signed)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		identifier(b)
		b.AddASN1BitString(value)
	})
	return b.Bytes()
}

// addTime writes a time as RFC 5280 section 4.1.2.5 wants it: years from 2050 on
// have another type.
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t.Year() < 2050 {
		b.AddASN1UTCTime(t)
	} else {
		b.AddASN1GeneralizedTime(t)
	}
}

// addExtension writes one of the extensions whose identifiers begin with 2.5.29.
func addExtension(b *cryptobyte.Builder, last int, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 29, last})
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(casn1.OCTET_STRING, func(b *cryptobyte.Builder) { value(b) })
	})
}
