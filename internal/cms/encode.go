package cms

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/trustedbpf/tbpf/keys"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Versions of SignedData and SignerInfo, which go together (RFC 5652 sections
// 5.1 and 5.3; the kernel gives EBADMSG for a mix).
const (
	versionIssuerSerial = 1
	versionSubjectKeyID = 3
)

// Encode wraps a plain signature by the certificate's key, naming the signer
// by SubjectKeyIdentifier, which is copied from the certificate. The higher s
// of an ECDSA signature is replaced by the lower. It cannot tell whether the
// signature is right, for it has no payload: Check does.
//
// Errors are *keys.KeyError, *keys.CertificateError, or have
// keys.ErrSignature in their chain.
func Encode(cert *x509.Certificate, sig []byte) ([]byte, error) {
	if len(cert.SubjectKeyId) == 0 {
		return nil, noSubjectKeyID()
	}
	return encode(cert, sig, SignedData{SubjectKeyID: cert.SubjectKeyId})
}

// EncodeChain is Encode for keyrings that have only a CA: with the certificate
// and those of the CAs between it and that one, naming the signer by issuer and
// serial number. Only so does the kernel find the signer's certificate in the
// message (crypto/asymmetric_keys/pkcs7_verify.c, pkcs7_find_key: a subject key
// identifier matches none, and the certificates are not looked at), and the CA
// that issued the last of them (pkcs7_trust.c, pkcs7_validate_trust_one).
func EncodeChain(cert *x509.Certificate, intermediates []*x509.Certificate, sig []byte) ([]byte, error) {
	s := SignedData{Issuer: cert.RawIssuer, Serial: cert.SerialNumber, Certificates: [][]byte{cert.Raw}}
	for _, ca := range intermediates {
		s.Certificates = append(s.Certificates, ca.Raw)
	}
	slices.SortFunc(s.Certificates, bytes.Compare)
	return encode(cert, sig, s)
}

func noSubjectKeyID() error {
	return &keys.CertificateError{Reason: keys.CertificateNoKeyID, Detail: "the certificate has no subjectKeyIdentifier: the kernel finds signers by it"}
}

// EncodeIssuerSerial is Encode, naming the signer by issuer and serial number.
// The kernel finds the key so, too; tbpf itself makes the other form.
func EncodeIssuerSerial(cert *x509.Certificate, sig []byte) ([]byte, error) {
	return encode(cert, sig, SignedData{Issuer: cert.RawIssuer, Serial: cert.SerialNumber})
}

func encode(cert *x509.Certificate, sig []byte, s SignedData) ([]byte, error) {
	alg, err := algorithm(cert.PublicKey)
	if err != nil {
		return nil, err
	}
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if len(sig) != k.Size() {
			return nil, fmt.Errorf("encode kernel signature: %w: %d bytes where the key makes %d", keys.ErrSignature, len(sig), k.Size())
		}
	case *keys.MLDSAPublicKey:
		if err := keys.Verify(k, alg, nil, sig); !errors.Is(err, keys.ErrUnchecked) {
			return nil, fmt.Errorf("encode kernel signature: %w: %d bytes are none of %v", keys.ErrSignature, len(sig), alg)
		}
	case *ecdsa.PublicKey:
		if sig, err = keys.NormalizeECDSA(sig, k.Curve); err != nil {
			return nil, fmt.Errorf("encode kernel signature: %w", err)
		}
	}
	s.Algorithm, s.Signature = alg, sig
	der, err := s.encode()
	if err != nil {
		return nil, fmt.Errorf("encode kernel signature: %w", err)
	}
	if len(der) > MaxSize {
		return nil, fmt.Errorf("encode kernel signature: %d bytes, the kernel takes at most %d", len(der), MaxSize)
	}
	return der, nil
}

// encode writes the one encoding. The order of fields is that of RFC 5652.
func (s *SignedData) encode() ([]byte, error) {
	var algorithms suite
	for _, known := range suites() {
		if known.algorithm == s.Algorithm {
			algorithms = known
		}
	}
	if algorithms.algorithm == 0 {
		return nil, formatError("no such pair of digest and signature algorithm")
	}
	version := int64(versionSubjectKeyID)
	if s.SubjectKeyID == nil {
		version = versionIssuerSerial
	}
	explicit0 := asn1.Tag(0).Constructed().ContextSpecific()
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // ContentInfo
		addOID(b, idSignedData)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // SignedData
				b.AddASN1Int64(version)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					addAlgorithm(b, algorithms.digest, false)
				})
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // without content: detached
					addOID(b, idData)
				})
				if s.Certificates != nil {
					b.AddASN1(explicit0, func(b *cryptobyte.Builder) { // implicit: a SET
						for _, der := range s.Certificates {
							b.AddBytes(der)
						}
					})
				}
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { s.addSigner(b, version, algorithms) })
				})
			})
		})
	})
	return b.Bytes()
}

// addSigner writes the fields of SignerInfo.
func (s *SignedData) addSigner(b *cryptobyte.Builder, version int64, algorithms suite) {
	b.AddASN1Int64(version)
	if version == versionSubjectKeyID {
		b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(s.SubjectKeyID) })
	} else {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(s.Issuer)
			b.AddASN1BigInt(s.Serial)
		})
	}
	addAlgorithm(b, algorithms.digest, false)
	addAlgorithm(b, algorithms.signature, algorithms.null())
	b.AddASN1OctetString(s.Signature)
}

// names reports whether the signature's signer identifier is the certificate's.
func (s *SignedData) names(cert *x509.Certificate) bool {
	if s.SubjectKeyID != nil {
		return bytes.Equal(s.SubjectKeyID, cert.SubjectKeyId)
	}
	return s.Serial != nil && bytes.Equal(s.Issuer, cert.RawIssuer) && s.Serial.Cmp(cert.SerialNumber) == 0
}
