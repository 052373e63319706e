package keys

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Limits of the way from a signer's certificate to a CA of the keyring.
const (
	// MaxIntermediates is how many CAs there may be between the two, however
	// far policy goes.
	MaxIntermediates = 3
	maxChecks        = 32 // of certificates' signatures in one search
)

// Reasons of a CertificateError that only chains have.
const (
	CertificateNoIssuer    CertificateReason = "certificate-no-issuer"    // no CA of the keyring issued it
	CertificatePathLength  CertificateReason = "certificate-path-length"  // more CAs between than one of them allows
	CertificateConstraints CertificateReason = "certificate-constraints"  // a name that a CA may not give
	CertificateNotACA      CertificateReason = "certificate-not-a-ca"     // issued by what may not issue
	CertificateSearch      CertificateReason = "certificate-search-limit" // too many certificates that could be issuers
)

// Issued finds the way from a signer's certificate to a CA of the keyring, over
// at most limit of the intermediates, and returns the key that is trusted for
// it. Nothing of the intermediates is trusted before the way is complete.
//
// It is written out here, not left to crypto/x509, because that knows more kinds
// of names, policies and roots than a signer of code has, takes what it does not
// know for unconstrained where the extension is not critical, and is 90 KiB of a
// loader that is to be read. What this accepts that accepts, too; a test compares
// the two.
//
// Of several ways it takes the first on which usable has nothing against any CA:
// there the caller asks for validity in time and for revocation. Of the signer's
// own certificate the caller asks both afterwards.
//
// The error is a *CertificateError or the one of usable; CertificateNoIssuer says
// that the certificate is nothing to this keyring, any other that a CA of the
// keyring stands at the end of a way that is not allowed.
func (r *Keyring) Issued(leaf *x509.Certificate, intermediates []*x509.Certificate, limit int, usable func(ca *x509.Certificate) error) (*TrustedKey, error) {
	s := &search{ring: r, pool: intermediates, limit: min(limit, MaxIntermediates), usable: usable}
	if !s.walk([]*x509.Certificate{leaf}) {
		if s.refused != nil {
			return nil, s.refused
		}
		return nil, &CertificateError{Reason: CertificateNoIssuer, Detail: "no CA of the keyring issued the certificate"}
	}
	key, err := TrustCertificate(leaf, "certificate by "+SubjectOf(s.found[len(s.found)-1]))
	if err != nil {
		return nil, err
	}
	key.Issuers = s.found[1:]
	return key, nil
}

// search is one search for a way.
type search struct {
	ring    *Keyring
	pool    []*x509.Certificate
	limit   int
	usable  func(*x509.Certificate) error
	checks  int
	found   []*x509.Certificate // the way, from the signer to the CA
	refused error               // the first way that ended at a CA and is not allowed
}

// walk goes on from a path that begins with the signer, and reports whether it
// arrived.
func (s *search) walk(path []*x509.Certificate) bool {
	last := path[len(path)-1]
	if s.ring != nil {
		for _, ca := range s.ring.cas {
			if !s.issued(last, ca) {
				continue
			}
			way := append(append([]*x509.Certificate(nil), path...), ca)
			err := s.allowed(way)
			if err == nil {
				s.found = way
				return true
			}
			if s.refused == nil {
				s.refused = err
			}
		}
	}
	if len(path) > MaxIntermediates {
		return false
	}
	for _, ca := range s.pool {
		if !contains(path, ca) && s.issued(last, ca) && s.walk(append(append([]*x509.Certificate(nil), path...), ca)) {
			return true
		}
	}
	return false
}

// issued reports whether a certificate is one that ca signed.
func (s *search) issued(cert, ca *x509.Certificate) bool {
	if !bytes.Equal(cert.RawIssuer, ca.RawSubject) ||
		len(cert.AuthorityKeyId) > 0 && len(ca.SubjectKeyId) > 0 && !bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId) {
		return false
	}
	if s.checks++; s.checks > maxChecks {
		if s.refused == nil {
			s.refused = &CertificateError{Reason: CertificateSearch, Detail: "too many certificates look as if they had issued each other"}
		}
		return false
	}
	return checkCertificateKey(cert) == nil && ca.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// allowed holds a way whose signatures are right against what its certificates
// say.
func (s *search) allowed(way []*x509.Certificate) error {
	if err := CheckCertificateUse(way[0]); err != nil {
		return err
	}
	if n := len(way) - 2; n > s.limit {
		return &CertificateError{Reason: CertificatePathLength, Detail: fmt.Sprintf("%d CAs stand between the signer and the one that is trusted, %d are allowed", n, s.limit)}
	}
	for i, cert := range way {
		if err := checkCriticals(cert); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if err := checkIssuer(cert, i-1); err != nil {
			return err
		}
		if err := checkNames(cert, way[:i]); err != nil {
			return err
		}
		if err := s.usable(cert); err != nil {
			return err
		}
	}
	return nil
}

// checkIssuer asks whether a certificate's key may issue signers' certificates
// with this many CAs between.
func checkIssuer(ca *x509.Certificate, between int) error {
	if err := checkCertificateKey(ca); err != nil {
		return err
	}
	name := SubjectOf(ca)
	switch {
	case !ca.BasicConstraintsValid || !ca.IsCA || ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return &CertificateError{Reason: CertificateNotACA, Detail: fmt.Sprintf("%q is no CA: a CA's certificate has basicConstraints CA:TRUE and keyUsage keyCertSign", name)}
	case (len(ca.ExtKeyUsage) > 0 || len(ca.UnknownExtKeyUsage) > 0) && !hasCodeSigning(ca) && !slices.Contains(ca.ExtKeyUsage, x509.ExtKeyUsageAny):
		return &CertificateError{Reason: CertificateUsage, Detail: fmt.Sprintf("the CA %q may not issue for code signing", name)}
	case ca.MaxPathLen >= 0 && (ca.MaxPathLen > 0 || ca.MaxPathLenZero) && between > ca.MaxPathLen:
		return &CertificateError{Reason: CertificatePathLength, Detail: fmt.Sprintf("the CA %q allows %d CAs beneath it, and there are %d", name, ca.MaxPathLen, between)}
	}
	return nil
}

// checkCriticals refuses critical extensions that nothing here checks, also
// those that crypto/x509 knows: policies that must be followed above all.
func checkCriticals(cert *x509.Certificate) error {
	for _, e := range cert.Extensions {
		// id-ce: keyUsage, subjectAltName, basicConstraints, nameConstraints,
		// certificatePolicies (which restrict nothing by themselves), extKeyUsage.
		known := len(e.Id) == 4 && e.Id[0] == 2 && e.Id[1] == 5 && e.Id[2] == 29 && slices.Contains([]int{15, 17, 19, 30, 32, 37}, e.Id[3])
		if e.Critical && !known {
			return &CertificateError{Reason: CertificateExtension, Detail: fmt.Sprintf("the certificate of %q has critical extension %v, which tbpf does not know", SubjectOf(cert), e.Id)}
		}
	}
	return nil
}

// CheckAuthority returns nil if a certificate is one that a CA may have, and
// valid at now; a *CertificateError otherwise.
func CheckAuthority(ca *x509.Certificate, now time.Time) error {
	if err := checkCriticals(ca); err != nil {
		return err
	}
	if err := checkIssuer(ca, 0); err != nil {
		return err
	}
	return CheckValidity(ca, now)
}

// TrustAuthority makes a keyring of one CA.
func TrustAuthority(ca *x509.Certificate) (*Keyring, error) {
	r := &Keyring{}
	if err := checkCertificateKey(ca); err != nil {
		return nil, err
	}
	r.addCA(ca)
	return r, nil
}
