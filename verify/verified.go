package verify

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
)

// noticeAhead is how long before an end of validity Notices tells of it.
const noticeAhead = 30 * 24 * time.Hour

// Verified is an object that was verified. Only Bytes makes one; the zero
// value has no loader program, no signer and an empty manifest.
//
// The byte slices that it returns alias what was verified. They are read-only.
type Verified struct {
	manifest *manifest.Manifest
	object   []byte
	seal     *seal.Seal
	kernel   *x509.Certificate
	issued   bool
	keyless  []Identity
	signers  []Signer
	notices  []string
}

// Signer is a trusted key whose signature counted.
type Signer struct {
	KeyID     keys.ID
	Subject   string // of the certificate; empty for a bare key
	Algorithm keys.Algorithm
	// Issuer is the key of the keyring's CA that stands for the signer; zero if
	// the keyring has the signer's own key. IssuerSubject is that CA.
	Issuer        keys.ID
	IssuerSubject string
}

// Account returns whom a machine remembers versions by: the signer's key, or that
// of the CA, so that a new certificate is no way around what was loaded before.
func (s Signer) Account() keys.ID {
	if s.Issuer != (keys.ID{}) {
		return s.Issuer
	}
	return s.KeyID
}

func newSigner(s *signer) Signer {
	out := Signer{KeyID: s.id, Algorithm: s.algorithm, Issuer: issuer(s.trusted)}
	if n := len(s.trusted.Issuers); n > 0 {
		out.IssuerSubject = keys.SubjectOf(s.trusted.Issuers[n-1])
	}
	if c := s.trusted.Certificate; c != nil {
		out.Subject = keys.SubjectOf(c)
	}
	return out
}

// Manifest returns a copy of what was signed.
func (v *Verified) Manifest() *manifest.Manifest {
	if v.manifest == nil {
		return &manifest.Manifest{}
	}
	return v.manifest.Clone()
}

// Object returns the object file without the seal.
func (v *Verified) Object() []byte { return v.object }

// Digest returns the object's digest: "sha256:" and hex.
func (v *Verified) Digest() string {
	if v.manifest == nil {
		return ""
	}
	return "sha256:" + v.manifest.Object.SHA256
}

// ManifestDigest returns the digest of the manifest's signed bytes: "sha256:"
// and hex. It identifies the object and everything that was said of it.
func (v *Verified) ManifestDigest() string {
	if v.seal == nil {
		return ""
	}
	return "sha256:" + digestOf(v.seal.Payload)
}

// Seal returns the seal that was verified. It is read-only.
func (v *Verified) Seal() *seal.Seal { return v.seal }

// Metadata returns what every loader program of the object works on.
func (v *Verified) Metadata() []byte {
	if v.seal == nil {
		return nil
	}
	return v.seal.Metadata
}

// Loader returns the loader program of a profile and its kernel signature,
// which is nil if the object is not signed for the kernel; ok is false if the
// object does not have this profile.
func (v *Verified) Loader(p bpfabi.Profile) (instructions, cms []byte, ok bool) {
	if v.seal == nil {
		return nil, nil, false
	}
	for i := range v.seal.Loaders {
		if l := &v.seal.Loaders[i]; l.Profile == p {
			return l.Instructions, l.CMS, true
		}
	}
	return nil, nil, false
}

// Profiles returns the profiles that the object has, strongest first.
func (v *Verified) Profiles() []bpfabi.Profile {
	if v.seal == nil {
		return nil
	}
	out := make([]bpfabi.Profile, 0, len(v.seal.Loaders))
	for i := range v.seal.Loaders {
		out = append(out, v.seal.Loaders[i].Profile)
	}
	return out
}

// Signers returns the keys that counted, in the order of their ids. There are
// at least as many as the threshold.
func (v *Verified) Signers() []Signer { return slices.Clone(v.signers) }

// Identities returns who counted without a key of their own.
func (v *Verified) Identities() []Identity { return slices.Clone(v.keyless) }

// KernelCertificate returns the certificate that every kernel signature was
// checked with, or nil if the object is not signed for the kernel. Being here
// does not make it trusted: the kernel asks a keyring.
func (v *Verified) KernelCertificate() *x509.Certificate { return v.kernel }

// KernelSignerIssued reports whether a CA of the keyring stands for the signer of
// the kernel signatures, whose own key the keyring does not have.
func (v *Verified) KernelSignerIssued() bool { return v.issued }

// Notices returns what a person should know although the object is verified,
// a line each: validity that ends soon, signatures that do not count.
func (v *Verified) Notices() []string { return slices.Clone(v.notices) }

func (j *judge) notices(signers []signer, m *manifest.Manifest) []string {
	var out []string
	for i := range signers {
		s := &signers[i]
		switch {
		case s.trusted == nil:
			out = append(out, fmt.Sprintf("a signature by key %v, which is not in the keyring, counts for nothing", s.id))
		case s.dropped != nil:
			out = append(out, "a signature does not count: "+s.dropped.Error())
		case s.trusted.Certificate != nil && s.trusted.Certificate.NotAfter.Before(j.now.Add(noticeAhead)):
			out = append(out, fmt.Sprintf("the certificate of signer %v %s at %s", s.id, ends(s.trusted.Certificate.NotAfter, j.now), s.trusted.Certificate.NotAfter.UTC().Format(time.RFC3339)))
		}
	}
	if m.NotAfter != nil && m.NotAfter.Before(j.now.Add(noticeAhead)) {
		out = append(out, "the object is not to be used after "+m.NotAfter.Format(time.RFC3339))
	}
	for i := range m.Maps {
		if m.Maps[i].Pinning == manifest.PinningByName {
			out = append(out, fmt.Sprintf("map %q is declared to be pinned by its name: it is pinned beneath the object's own directory, and shared with newer versions of it alone", m.Maps[i].Name))
		}
	}
	out = append(out, j.revoked.notices(j.now)...)
	if j.policy.Validity == policy.ValidCreated {
		out = append(out, "the time of signing, which certificates are judged by, is what the signer says")
	}
	return out
}

func ends(at, now time.Time) string {
	if at.Before(now) {
		return "expired"
	}
	return "expires"
}
