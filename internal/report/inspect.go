package report

import (
	"crypto/x509"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// Inspect is the document of `tbpf inspect`: what a file says of itself.
// Nothing in it was verified.
type Inspect struct {
	Head
	Outcome
	Path       string             `json:"path"`
	Verified   bool               `json:"verified"` // always false
	Object     *InspectObject     `json:"object,omitempty"`
	Signatures []InspectSignature `json:"signatures"`
	Profiles   []InspectProfile   `json:"profiles"`
	Manifest   *manifest.Manifest `json:"manifest,omitempty"` // as it was signed
}

// InspectObject is the object in the file beside what the manifest says of it.
type InspectObject struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"` // of the bytes in the file
	Size    int    `json:"size"`   // bytes
	Matches bool   `json:"matchesManifest"`
}

// InspectSignature is one signature of the manifest, not checked.
type InspectSignature struct {
	KeyID     string `json:"keyId"`
	Algorithm string `json:"algorithm"`
	Subject   string `json:"subject,omitempty"` // of the embedded certificate
	NotBefore string `json:"notBefore,omitempty"`
	NotAfter  string `json:"notAfter,omitempty"`
}

// InspectProfile is one loader program in the file.
type InspectProfile struct {
	Name         string `json:"name"`
	Instructions int    `json:"instructions"`
	Metadata     int    `json:"metadata"`     // bytes
	KernelSigned bool   `json:"kernelSigned"` // there is a signature for the kernel
}

// NewInspect describes a file that was taken apart; u is nil if it was not.
func NewInspect(path string, u *verify.Unverified, o Outcome) *Inspect {
	d := &Inspect{Head: NewHead("inspect"), Outcome: o, Path: Name(path), Signatures: []InspectSignature{}, Profiles: []InspectProfile{}}
	if u == nil {
		return d
	}
	for g := range u.Seal.Signers {
		d.Signatures = append(d.Signatures, inspectSignature(g))
	}
	for _, l := range u.Seal.Loaders {
		d.Profiles = append(d.Profiles, InspectProfile{
			Name: l.Profile.String(), Instructions: len(l.Instructions) / 8,
			Metadata: len(u.Seal.Metadata), KernelSigned: l.CMS != nil,
		})
	}
	d.Manifest = escaped(u.Manifest)
	d.Object = &InspectObject{
		Name: Name(u.Manifest.Object.Name), Digest: Digest(u.Object), Size: len(u.Object),
		Matches: u.ObjectMatches,
	}
	return d
}

func inspectSignature(s *seal.Signature) InspectSignature {
	out := InspectSignature{KeyID: s.KeyID.String(), Algorithm: s.Algorithm.String()}
	if s.Certificate == nil {
		return out
	}
	cert, err := keys.ParseCertificateDER(s.Certificate)
	if err != nil {
		return out
	}
	out.Subject = Subject(cert)
	out.NotBefore, out.NotAfter = date(cert.NotBefore), date(cert.NotAfter)
	return out
}

// Subject is a certificate's subject as it may be printed.
func Subject(cert *x509.Certificate) string { return Name(keys.SubjectOf(cert)) }

// profileKernels says which kernels implement a profile.
func profileKernels(name string) string {
	switch p, _ := bpfabi.ParseProfile(name); p {
	case bpfabi.Bound:
		return "7.3 and newer"
	case bpfabi.SelfcheckExcl:
		return "7.2, later 6.18.y"
	case bpfabi.Selfcheck:
		return "6.18 to 7.1"
	default:
		return ""
	}
}
