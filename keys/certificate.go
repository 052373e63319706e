package keys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"time"
)

// CertificateReason says why a certificate is refused. Values are stable
// kebab-case.
type CertificateReason string

// The reasons of a CertificateError.
const (
	CertificateNotYetValid CertificateReason = "certificate-not-yet-valid"
	CertificateExpired     CertificateReason = "certificate-expired"
	CertificateIsCA        CertificateReason = "certificate-is-ca"        // a CA's certificate used as a signer's
	CertificateUsage       CertificateReason = "certificate-wrong-usage"  // not for digital signatures of code
	CertificateAlgorithm   CertificateReason = "certificate-algorithm"    // signed with SHA-1, MD5 or something unknown
	CertificateKey         CertificateReason = "certificate-key"          // its key is not taken
	CertificateNoKeyID     CertificateReason = "certificate-no-key-id"    // no SubjectKeyIdentifier
	CertificateExtension   CertificateReason = "certificate-extension"    // a critical extension that nothing here checks
	CertificateMalformed   CertificateReason = "certificate-malformed"    // not a certificate
	CertificateOtherKey    CertificateReason = "certificate-of-other-key" // good, but of another key than expected
)

// CertificateError says why a certificate is refused.
type CertificateError struct {
	Reason CertificateReason
	Detail string
	Err    error // the cause, if there is one: a *KeyError for CertificateKey
}

func (e *CertificateError) Error() string { return e.Detail }

func (e *CertificateError) Unwrap() error { return e.Err }

// Temporal reports whether the certificate is only refused for the time of the
// check: the one thing that policy may relax.
func (e *CertificateError) Temporal() bool {
	return e.Reason == CertificateExpired || e.Reason == CertificateNotYetValid
}

// CheckCertificate returns nil if the certificate is one that a signer may
// have, and valid at now; a *CertificateError otherwise. What does not change
// with time is checked first.
//
// The kernel checks none of this (kernel-side, any key in the keyring signs).
func CheckCertificate(cert *x509.Certificate, now time.Time) error {
	if err := CheckCertificateUse(cert); err != nil {
		return err
	}
	return CheckValidity(cert, now)
}

// CheckValidity returns nil if now is within the certificate's period, both
// ends included (RFC 5280 section 4.1.2.5).
func CheckValidity(cert *x509.Certificate, now time.Time) error {
	if now.Before(cert.NotBefore) {
		return &CertificateError{Reason: CertificateNotYetValid, Detail: fmt.Sprintf("the certificate is not valid before %s", stamp(cert.NotBefore))}
	}
	if now.After(cert.NotAfter) {
		return &CertificateError{Reason: CertificateExpired, Detail: fmt.Sprintf("the certificate expired at %s", stamp(cert.NotAfter))}
	}
	return nil
}

// CheckCertificateUse is CheckCertificate without the time: a certificate of a
// key that tbpf takes, in its one encoding, not of a CA, for digital
// signatures and code signing, with a SubjectKeyIdentifier, and signed without
// SHA-1 and MD5.
func CheckCertificateUse(cert *x509.Certificate) error {
	if err := checkCertificateKey(cert); err != nil {
		return err
	}
	switch {
	case IsCA(cert):
		return &CertificateError{Reason: CertificateIsCA, Detail: "the certificate is of a CA: a signer's has basicConstraints CA:FALSE and no keyCertSign"}
	case cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return &CertificateError{Reason: CertificateUsage, Detail: "the certificate lacks keyUsage digitalSignature"}
	case !hasCodeSigning(cert):
		return &CertificateError{Reason: CertificateUsage, Detail: "the certificate lacks extendedKeyUsage codeSigning"}
	case len(cert.SubjectKeyId) == 0:
		return &CertificateError{Reason: CertificateNoKeyID, Detail: "the certificate has no subjectKeyIdentifier: the kernel finds signers by it"}
	case len(cert.UnhandledCriticalExtensions) != 0:
		return &CertificateError{Reason: CertificateExtension, Detail: fmt.Sprintf("the certificate has critical extension %v, which tbpf does not know", cert.UnhandledCriticalExtensions[0])}
	}
	return nil
}

// checkCertificateKey has what holds for signers and CAs alike.
func checkCertificateKey(cert *x509.Certificate) error {
	if cert == nil || len(cert.Raw) == 0 {
		return &CertificateError{Reason: CertificateMalformed, Detail: "there is no certificate"}
	}
	spki, err := MarshalPublic(cert.PublicKey)
	if err != nil {
		return &CertificateError{Reason: CertificateKey, Detail: fmt.Sprintf("the certificate's key: %v", err), Err: err}
	}
	if !bytes.Equal(spki, cert.RawSubjectPublicKeyInfo) {
		return &CertificateError{Reason: CertificateKey, Detail: "the certificate's key is not in its one DER encoding"}
	}
	switch cert.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.PureEd25519:
		return nil
	default: // SHA-1, MD5, DSA, and what this release of Go does not know
		if signedWithMLDSA(cert) {
			return nil
		}
		return &CertificateError{Reason: CertificateAlgorithm, Detail: fmt.Sprintf("the certificate is signed with %v, which tbpf does not take", cert.SignatureAlgorithm)}
	}
}

// IsCA reports whether a certificate says that its key may issue others. Such
// a key signs no objects itself.
func IsCA(cert *x509.Certificate) bool {
	return cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign != 0
}

// CertificateOf returns nil if the certificate is of this key, and a
// *CertificateError otherwise.
func CertificateOf(cert *x509.Certificate, pub crypto.PublicKey) error {
	if err := checkCertificateKey(cert); err != nil {
		return err
	}
	spki, err := MarshalPublic(pub)
	if err != nil {
		return err
	}
	if !bytes.Equal(spki, cert.RawSubjectPublicKeyInfo) {
		return &CertificateError{Reason: CertificateOtherKey, Detail: "the certificate is of another key"}
	}
	return nil
}

func hasCodeSigning(cert *x509.Certificate) bool {
	for _, usage := range cert.ExtKeyUsage {
		if usage == x509.ExtKeyUsageCodeSigning {
			return true
		}
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
