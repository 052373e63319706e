package signer

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/trustedbpf/tbpf/keys"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DefaultYears is how long a certificate is valid unless told otherwise.
const DefaultYears = 10

// backdate is how far before its making a certificate becomes valid, so that a
// machine whose clock is a little slow can use it at once.
const backdate = time.Hour

// CertificateOptions say what stands in a certificate.
type CertificateOptions struct {
	Name     string        // the subject's common name, see CheckName
	Now      time.Time     // when it is made
	ValidFor time.Duration // from Now on; 0 for DefaultYears
	// CA makes it a certificate of a CA, with at most PathLength CAs beneath it.
	CA         bool
	PathLength int
	// Issuer signs it; without one it is self-signed. It does not outlive the
	// issuer's certificate.
	Issuer *Issuer
}

// Issuer is a CA: its key and its certificate.
type Issuer struct {
	Signer      *Signer
	Certificate *x509.Certificate
}

// Certificate makes a certificate for the key, in DER: version 3, with
// SubjectKeyIdentifier; of a signer (digitalSignature and code signing) or of a
// CA.
func (s *Signer) Certificate(opt CertificateOptions) ([]byte, error) {
	if err := CheckName(opt.Name); err != nil {
		return nil, err
	}
	if opt.ValidFor < 0 || opt.Now.IsZero() {
		return nil, fmt.Errorf("make certificate: no time of making, or an end before it")
	}
	end := opt.Now.AddDate(DefaultYears, 0, 0)
	if opt.ValidFor > 0 {
		end = opt.Now.Add(opt.ValidFor)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	keyID, err := s.subjectKeyID()
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: opt.Name},
		NotBefore:             opt.Now.Add(-backdate).UTC().Truncate(time.Second),
		NotAfter:              end.UTC().Truncate(time.Second),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true, // CA:FALSE, spelt out
		SubjectKeyId:          keyID,
	}
	if opt.CA {
		if opt.PathLength < 0 || opt.PathLength > keys.MaxIntermediates {
			return nil, fmt.Errorf("make certificate: a path length of %d: at most %d CAs stand beneath another", opt.PathLength, keys.MaxIntermediates)
		}
		template.IsCA, template.KeyUsage, template.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
		template.MaxPathLen, template.MaxPathLenZero = opt.PathLength, opt.PathLength == 0
	}
	der, err := s.issue(template, opt.Issuer)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	cert, err := keys.ParseCertificateDER(der)
	if err == nil {
		err = opt.prove(cert)
	}
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return der, nil
}

// issue signs a certificate: with the issuer's key, or with its own.
func (s *Signer) issue(template *x509.Certificate, issuer *Issuer) ([]byte, error) {
	if _, ok := s.public.(*keys.MLDSAPublicKey); ok {
		if issuer != nil || template.IsCA {
			return nil, ErrSelfSignedOnly
		}
		return s.selfSignMLDSA(template)
	}
	by, parent := s, template
	if issuer != nil {
		by, parent = issuer.Signer, issuer.Certificate
		if template.NotAfter.After(parent.NotAfter) {
			template.NotAfter = parent.NotAfter
		}
	}
	by.mu.RLock()
	defer by.mu.RUnlock()
	if by.key == nil {
		return nil, ErrClosed
	}
	return x509.CreateCertificate(rand.Reader, template, parent, s.public, by.key)
}

// prove looks at the new certificate as a machine that trusts the CA would.
func (o *CertificateOptions) prove(cert *x509.Certificate) error {
	switch {
	case o.CA && o.Issuer == nil:
		return keys.CheckAuthority(cert, o.Now)
	case o.CA:
		if err := keys.CheckAuthority(cert, o.Now); err != nil {
			return err
		}
		return cert.CheckSignatureFrom(o.Issuer.Certificate)
	case o.Issuer == nil:
		return keys.CheckCertificate(cert, o.Now)
	}
	if err := keys.CheckCertificate(cert, o.Now); err != nil {
		return err
	}
	ring, err := keys.TrustAuthority(o.Issuer.Certificate)
	if err != nil {
		return err
	}
	_, err = ring.Issued(cert, nil, 0, func(ca *x509.Certificate) error { return keys.CheckValidity(ca, o.Now) })
	return err
}

// Request makes a certificate signing request (PKCS#10) for the key, in DER.
// What the certificate is for is the issuer's to say.
func (s *Signer) Request(name string) ([]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if _, ok := s.public.(*keys.MLDSAPublicKey); ok {
		return nil, ErrSelfSignedOnly
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.key == nil {
		return nil, ErrClosed
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, s.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, nil
}

// EncodeCertificate returns a certificate in PEM.
func EncodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// EncodeRequest returns a certificate signing request in PEM.
func EncodeRequest(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// subjectKeyID is the SHA-1 of the key's BIT STRING (RFC 5280 section 4.2.1.2,
// method 1). It is a name and no protection: signers and the kernel copy and
// compare it. It is this one because ima-evm-utils compute it so (evmctl).
func (s *Signer) subjectKeyID() ([]byte, error) {
	der, err := keys.MarshalPublic(s.public)
	if err != nil {
		return nil, err
	}
	var spki, algorithm cryptobyte.String
	var bits []byte
	in := cryptobyte.String(der)
	if !in.ReadASN1(&spki, asn1.SEQUENCE) || !spki.ReadASN1(&algorithm, asn1.SEQUENCE) || !spki.ReadASN1BitStringAsBytes(&bits) {
		return nil, fmt.Errorf("public key is no SubjectPublicKeyInfo")
	}
	digest := sha1.Sum(bits)
	return digest[:], nil
}

// newSerial returns 127 random bits, positive and at most 16 bytes in DER.
func newSerial() (*big.Int, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(rand.Reader, raw); err != nil {
		return nil, err
	}
	raw[0] = raw[0]&0x7f | 0x40 // never zero, always of the same length
	return new(big.Int).SetBytes(raw), nil
}
