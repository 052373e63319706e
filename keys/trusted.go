package keys

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"time"
)

// TrustedKey is a key that a machine trusts, and how it came to do so.
type TrustedKey struct {
	ID     ID
	Public crypto.PublicKey
	// Certificate is the key's certificate, nil if it is trusted as a bare
	// key. Of several it is the one that is valid longest.
	Certificate *x509.Certificate
	// Certificates are all certificates of this key, longest valid first.
	Certificates []*x509.Certificate
	// Issuers are the CAs of a key that is trusted for its certificate's issuer,
	// the one of the keyring last. A key of the keyring itself has none.
	Issuers []*x509.Certificate
	// Sources are the files in which the key was found, each once.
	Sources []string
}

// TrustKey makes a TrustedKey of a bare key. It has no end of validity.
func TrustKey(pub crypto.PublicKey, source string) (*TrustedKey, error) {
	id, err := IDOf(pub)
	if err != nil {
		return nil, err
	}
	return &TrustedKey{ID: id, Public: pub, Sources: []string{source}}, nil
}

// TrustCertificate makes a TrustedKey of a signer's certificate. One that is
// expired or not yet valid is taken: Check refuses it when it matters.
func TrustCertificate(cert *x509.Certificate, source string) (*TrustedKey, error) {
	if err := CheckCertificateUse(cert); err != nil {
		return nil, err
	}
	key, err := TrustKey(cert.PublicKey, source)
	if err != nil {
		return nil, err
	}
	key.Certificate, key.Certificates = cert, []*x509.Certificate{cert}
	return key, nil
}

// Check returns nil if the key is trusted at now: always for a bare key,
// within the period of any of its certificates otherwise, and of all its
// issuers. The error is a *CertificateError, about the certificate that is valid
// longest.
func (k *TrustedKey) Check(now time.Time) error {
	for _, ca := range k.Issuers {
		if err := CheckValidity(ca, now); err != nil {
			return fmt.Errorf("its issuer %q: %w", SubjectOf(ca), err)
		}
	}
	var first error // stays nil for a bare key
	for _, cert := range k.Certificates {
		err := CheckCertificate(cert, now)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// Algorithm returns the algorithm that tbpf itself signs with under this key.
func (k *TrustedKey) Algorithm() (Algorithm, error) { return AlgorithmFor(k.Public) }
