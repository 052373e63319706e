package verify

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
)

// certificates are those in the file, by what they say of themselves. They are
// looked at only if the keyring has a CA, and trusted for nothing.
type certificates struct {
	signers []*x509.Certificate
	cas     []*x509.Certificate
}

// readCertificates parses the certificates in the seal. One that cannot be
// parsed is of no use here; if anything needs it, that says so.
func (j *judge) readCertificates(s *seal.Seal) {
	if len(j.ring.CAs()) == 0 {
		return
	}
	for der := range s.EmbeddedCertificates {
		cert, err := keys.ParseCertificateDER(der)
		switch {
		case err != nil:
		case keys.IsCA(cert):
			j.file.cas = append(j.file.cas, cert)
		default:
			j.file.signers = append(j.file.signers, cert)
		}
	}
}

// find returns the trusted key with this id: one of the keyring, or one whose
// certificate in the file was issued by a CA of the keyring. A time of zero
// leaves the validity of the CAs to be asked later. Nobody is nil and nil; an
// error says why a CA of the keyring does not stand for the certificate.
func (j *judge) find(id keys.ID, at time.Time) (*keys.TrustedKey, *Error) {
	if key := j.ring.Find(id); key != nil {
		return key, nil
	}
	var first *Error
	for _, cert := range j.file.signers {
		if got, err := keys.IDOf(cert.PublicKey); err != nil || got != id {
			continue
		}
		key, err := j.ring.Issued(cert, j.file.cas, j.policy.MaxPathLength, func(ca *x509.Certificate) error {
			if err := j.usableCA(ca, at); err != nil {
				return err
			}
			return nil
		})
		if err == nil {
			return key, nil
		}
		if refused := j.notIssued(id, err); refused != nil && first == nil {
			first = refused
		}
	}
	return nil, first
}

// usableCA returns why nothing that a CA issued may be used, or nil.
func (j *judge) usableCA(ca *x509.Certificate, at time.Time) *Error {
	id, err := keys.IDOf(ca.PublicKey)
	if err != nil {
		return refuseErr(CertificateRefused, err)
	}
	if j.revoked.RevokesKey(id) {
		return refuse(KeyRevoked, "key %v is revoked, of the CA %q", id, keys.SubjectOf(ca))
	}
	if at.IsZero() {
		return nil
	}
	return j.outOfDate(id, keys.CheckValidity(ca, at))
}

// notIssued is what an error of a search comes to; nil if nobody trusted issued
// the certificate.
func (j *judge) notIssued(id keys.ID, err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if ce, ok := errors.AsType[*keys.CertificateError](err); ok && ce.Reason == keys.CertificateNoIssuer {
		return nil
	}
	out := &Error{Reason: CertificateRefused, Detail: fmt.Sprintf("signer %v: %v", id, err), Err: err}
	if ce, ok := errors.AsType[*keys.CertificateError](err); ok && ce.Reason == keys.CertificatePathLength {
		out.Hint = "trust the CA that issued the certificate, or let the policy have a max-path-length"
	}
	return out
}

// trust looks for a signer's key. One that a CA of the keyring issued and does
// not stand for is known, and dropped.
func (j *judge) trust(s *signer, at time.Time) {
	key, err := j.find(s.id, at)
	if s.trusted, s.dropped = key, err; err != nil {
		s.trusted = &keys.TrustedKey{ID: s.id}
	}
}

// asked is the time at which certificates are judged; zero if that is only
// known once the manifest is.
func (j *judge) asked() time.Time {
	if j.policy.Validity == policy.ValidCreated {
		return time.Time{}
	}
	return j.now
}

// issuer returns the id of the CA of the keyring that stands for a key, zero for
// a key of the keyring itself.
func issuer(key *keys.TrustedKey) (id keys.ID) {
	if n := len(key.Issuers); n > 0 {
		id, _ = keys.IDOf(key.Issuers[n-1].PublicKey) // it signed: it has one
	}
	return id
}
