package keys

import (
	"bytes"
	"crypto/x509"
	"slices"
)

// Keyring is a set of trusted keys. One key is in it once, however often and
// in whatever form it was found: what counts distinct signers counts keys.
//
// A Keyring does not change after it is made and may be used concurrently.
type Keyring struct {
	keys []*TrustedKey
	cas  []*x509.Certificate
	skip []string
}

// NewKeyring makes a keyring of the given keys.
func NewKeyring(trusted ...*TrustedKey) *Keyring {
	ring := &Keyring{}
	for _, key := range trusted {
		ring.add(key)
	}
	return ring
}

// Find returns the key with this ID, or nil if the keyring does not trust it.
// The key of a CA's certificate is not found: it signs no objects.
func (r *Keyring) Find(id ID) *TrustedKey {
	if r == nil {
		return nil
	}
	for _, key := range r.keys {
		if key.ID == id {
			return key
		}
	}
	return nil
}

// Keys returns all keys in the order in which they were found.
func (r *Keyring) Keys() []*TrustedKey { return append([]*TrustedKey(nil), r.keys...) }

// CAs returns the certificates of CAs that were found. They are kept apart
// from the keys, so that they never match a signature.
func (r *Keyring) CAs() []*x509.Certificate {
	if r == nil {
		return nil
	}
	return append([]*x509.Certificate(nil), r.cas...)
}

// Ignored returns the files of keyring directories that were not read because
// their names do not end in .pem, .crt, .cer or .pub.
func (r *Keyring) Ignored() []string { return slices.Clone(r.skip) }

// add merges a key into the ring. Where one key is found bare and with a
// certificate, the certificate's limits hold: the stricter reading of the two.
func (r *Keyring) add(key *TrustedKey) {
	have := r.Find(key.ID)
	if have == nil {
		have = &TrustedKey{ID: key.ID, Public: key.Public}
		r.keys = append(r.keys, have)
	}
	for _, source := range key.Sources {
		if !slices.Contains(have.Sources, source) {
			have.Sources = append(have.Sources, source)
		}
	}
	for _, cert := range key.Certificates {
		have.Certificates = addCertificate(have.Certificates, cert)
	}
	if len(have.Certificates) == 0 {
		return
	}
	have.Certificate = have.Certificates[0]
}

func (r *Keyring) addCA(cert *x509.Certificate) {
	r.cas = addCertificate(r.cas, cert)
}

// addCertificate adds a certificate to a list, once and in its place: first
// those that are valid for longest, and in no order of files or directories.
// (By hand: a list of certificates that package slices works on costs the
// trusted loader 100 kB, see its build_test.go.)
func addCertificate(list []*x509.Certificate, cert *x509.Certificate) []*x509.Certificate {
	if contains(list, cert) {
		return list
	}
	list = append(list, cert)
	for i := len(list) - 1; i > 0 && before(list[i], list[i-1]); i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	return list
}

func contains(list []*x509.Certificate, cert *x509.Certificate) bool {
	for _, have := range list {
		if have.Equal(cert) {
			return true
		}
	}
	return false
}

func before(a, b *x509.Certificate) bool {
	if c := a.NotAfter.Compare(b.NotAfter); c != 0 {
		return c > 0
	}
	return bytes.Compare(a.Raw, b.Raw) < 0
}
