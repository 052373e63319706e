package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"sync"

	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/internal/sorted"
	"github.com/trustedbpf/tbpf/keys"
)

// checkContent compares every byte of the file that the signatures do not
// cover themselves with what the manifest and the countersigners say of it,
// and returns who made the kernel signatures.
func checkContent(object []byte, digest seal.Digest, s *seal.Seal, m *manifest.Manifest, checker keys.Checker) (kernelSigner, *Error) {
	if uint64(len(object)) != m.ObjectSize || hex.EncodeToString(digest[:]) != m.Object.SHA256 {
		return kernelSigner{}, refuse(ObjectMismatch, "the object is not the one that was signed: its SHA-256 or its length differs from the manifest's")
	}
	if err := checkLoaders(s, m); err != nil {
		return kernelSigner{}, err
	}
	if err := checkCertificates(s, m); err != nil {
		return kernelSigner{}, err
	}
	return checkKernelSignatures(s, m, checker)
}

// checkLoaders sees to it that the seal has the loader programs and the
// metadata that the manifest lists, none less and none more.
func checkLoaders(s *seal.Seal, m *manifest.Manifest) *Error {
	if len(s.Loaders) != len(m.Profiles) {
		return refuse(ProfileMismatch, "the seal has %d profiles, the manifest lists %d", len(s.Loaders), len(m.Profiles))
	}
	// The profiles share one metadata, which is not small: it is hashed once.
	metadata := manifest.Blob{SHA256: digestOf(s.Metadata), Length: uint64(len(s.Metadata))}
	for i := range s.Loaders {
		l, p := &s.Loaders[i], &m.Profiles[i]
		if l.Profile.String() != p.Name {
			return refuse(ProfileMismatch, "the seal has profile %v where the manifest lists %s", l.Profile, p.Name)
		}
		if !matches(l.Instructions, p.Loader) {
			return refuse(LoaderMismatch, "the loader program of profile %s is not the one that was signed", p.Name)
		}
		if p.Metadata != metadata {
			return refuse(MetadataMismatch, "the metadata is not the one that was signed")
		}
	}
	return nil
}

func matches(b []byte, want manifest.Blob) bool {
	return uint64(len(b)) == want.Length && digestOf(b) == want.SHA256
}

// checkCertificates sees to it that the certificates in the seal are those
// that the manifest and the countersigners name: a certificate has bytes, its
// own signature above all, that no signature of the seal would bind otherwise.
func checkCertificates(s *seal.Seal, m *manifest.Manifest) *Error {
	named := slices.Clone(m.Certificates)
	if m.KernelSigner != nil {
		named = append(named, m.KernelSigner.Certificate)
	}
	for i := range s.Countersignatures {
		c := &s.Countersignatures[i]
		for _, digest := range c.Certificates {
			named = append(named, hex.EncodeToString(digest[:]))
		}
		if c.Kernel != nil {
			named = append(named, hex.EncodeToString(c.Kernel.Certificate[:]))
		}
	}
	// One may be named twice; it is in the seal once.
	sorted.Strings(named)
	named = slices.Compact(named)
	for der := range s.EmbeddedCertificates {
		i := slices.Index(named, digestOf(der))
		if i < 0 {
			return refuse(CertMismatch, "a certificate in the seal is not named in the manifest")
		}
		named = slices.Delete(named, i, i+1)
	}
	if len(named) != 0 {
		return refuse(CertMismatch, "the certificate sha256:%s, which the manifest names, is missing from the seal", named[0])
	}
	return checkPlaces(s, m)
}

// checkPlaces sees to it that a certificate has one place only: a signature
// embeds the certificate of its key that is the first in the order of bytes,
// and has the bare key only if the seal has no certificate of it. Otherwise a
// certificate could be moved between its signature and a record of its own. A
// record of its own is for kernel signers' certificates and those of CAs only:
// any other would belong to no signature, or to one that was taken out.
func checkPlaces(s *seal.Seal, m *manifest.Manifest) *Error {
	var kernel []string
	if m.KernelSigner != nil {
		kernel = append(kernel, m.KernelSigner.Certificate)
	}
	for i := range s.Countersignatures {
		if k := s.Countersignatures[i].Kernel; k != nil {
			kernel = append(kernel, hex.EncodeToString(k.Certificate[:]))
		}
	}
	for _, der := range s.Certificates {
		cert, err := keys.ParseCertificateDER(der)
		if err != nil {
			return refuse(CertMismatch, "a certificate in the seal: %v", err)
		}
		if keys.IsCA(cert) {
			continue // it signs nothing here, and has no other place
		}
		if !slices.Contains(kernel, digestOf(der)) {
			return refuse(CertMismatch, "the seal has a certificate that belongs to no signature")
		}
		id, err := keys.IDOf(cert.PublicKey)
		if err != nil {
			return refuse(CertMismatch, "a certificate in the seal: %v", err)
		}
		for g := range s.Signers {
			if g.KeyID == id && (g.Certificate == nil || bytes.Compare(g.Certificate, der) > 0) {
				return refuse(CertMismatch, "a certificate stands in a record of its own, the signature by its key has the place for it")
			}
		}
	}
	return nil
}

// kernelSigner is who made the kernel signatures.
type kernelSigner struct {
	cert *x509.Certificate // nil: there are none
	// by is the countersigner who says so, as an index into the signers; -1 is
	// the manifest, which all who count have signed.
	by int
}

// checkKernelSignatures checks the kernel's signature of every profile: by the
// one certificate that the last countersigner to name one names, or the
// manifest; or none at all if nobody names one.
func checkKernelSignatures(s *seal.Seal, m *manifest.Manifest, checker keys.Checker) (kernelSigner, *Error) {
	named, by := m.KernelSigner, -1
	for i := range s.Countersignatures {
		if k := s.Countersignatures[i].Kernel; k != nil {
			named = &manifest.KernelSigner{KeyID: k.KeyID.String(), Certificate: hex.EncodeToString(k.Certificate[:])}
			by = len(s.Signatures) + i
		}
	}
	if named == nil {
		for i := range s.Loaders {
			if s.Loaders[i].CMS != nil {
				return kernelSigner{}, refuse(KernelSignature, "profile %v has a kernel signature, the manifest names no signer of one", s.Loaders[i].Profile)
			}
		}
		return kernelSigner{by: -1}, nil
	}
	cert, refusal := kernelCertificate(s, named)
	if refusal != nil {
		return kernelSigner{}, refusal
	}
	// At once, for they take most of the time of a verification; only with
	// P-256 it takes longer to wake a thread. Of several refusals the one of the
	// strongest profile is told.
	algorithm, err := keys.AlgorithmFor(cert.PublicKey)
	quick := err == nil && algorithm == keys.ECDSAP256SHA256
	refusals := make([]*Error, len(s.Loaders))
	var wg sync.WaitGroup
	for i := range s.Loaders {
		check := func() { refusals[i] = checkKernelSignature(&s.Loaders[i], s.Metadata, cert, named.Chain, checker) }
		if quick {
			check()
		} else {
			wg.Go(check)
		}
	}
	wg.Wait()
	for _, refusal := range refusals {
		if refusal != nil {
			return kernelSigner{}, refusal
		}
	}
	return kernelSigner{cert, by}, nil
}

func checkKernelSignature(l *seal.Loader, metadata []byte, cert *x509.Certificate, chain []string, checker keys.Checker) *Error {
	if l.CMS == nil {
		return refuse(KernelSignature, "the kernel signature of profile %v is missing", l.Profile)
	}
	signed, err := cms.Parse(l.CMS)
	if err != nil {
		return refuse(KernelSignature, "kernel signature of profile %v: %v", l.Profile, err)
	}
	// A signer is named in one way only: one could be rewritten into the other
	// without the key. With certificates the kernel knows but the second.
	if (signed.SubjectKeyID == nil) != (len(chain) > 0) {
		return refuse(KernelSignature, "kernel signature of profile %v: it names its signer by issuer and serial number without certificates, or by key id with them", l.Profile)
	}
	if !carries(signed.Certificates, chain) {
		return refuse(KernelSignature, "kernel signature of profile %v: the certificates in it are not those that the manifest names", l.Profile)
	}
	if err := signed.CheckBy(checker, cert, l.Profile.Payload(l.Instructions, metadata)); err != nil {
		reason := KernelSignature
		if err == keys.ErrUnchecked {
			reason = AlgorithmUnchecked
		}
		return refuse(reason, "kernel signature of profile %v: %v", l.Profile, err)
	}
	return nil
}

// carries reports whether a kernel signature has exactly the certificates of a
// chain. Each is in both once.
func carries(certificates [][]byte, chain []string) bool {
	for _, der := range certificates {
		if !slices.Contains(chain, digestOf(der)) {
			return false
		}
	}
	return len(certificates) == len(chain)
}

// kernelCertificate finds the certificate that the manifest names. Its validity
// in time is asked later, with everything that policy decides.
func kernelCertificate(s *seal.Seal, want *manifest.KernelSigner) (*x509.Certificate, *Error) {
	for der := range s.EmbeddedCertificates {
		if digestOf(der) != want.Certificate {
			continue
		}
		cert, err := keys.ParseCertificateDER(der)
		if err != nil {
			return nil, refuse(KernelSignature, "the kernel signer's certificate: %v", err)
		}
		if err := keys.CheckCertificateUse(cert); err != nil {
			return nil, refuse(KernelSignature, "the kernel signer's certificate: %v", err)
		}
		if id, err := keys.IDOf(cert.PublicKey); err != nil || id.String() != want.KeyID {
			return nil, refuse(KernelSignature, "the kernel signer's certificate is not of the key that the manifest names")
		}
		return cert, nil
	}
	return nil, refuse(KernelSignature, "the kernel signer's certificate is missing")
}
