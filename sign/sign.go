// Package sign makes a seal for a BPF object: it generates the loader programs
// (package skeleton), writes the manifest, signs the manifest once and each
// profile's payload once, and verifies what it made before it returns it.
//
// Most callers want Object. The result depends on the object, the options and
// the signatures; with deterministic signatures (RSA PKCS#1 v1.5, Ed25519) the
// same input gives the same bytes.
//
// The command line imports it. verify and loader must not.
package sign

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// Options are what a seal says besides what follows from the object.
type Options struct {
	// ObjectName is the object's file name, without directory.
	ObjectName string
	// Name is what policy, rollback and pins call the object.
	Name    string
	Version uint64
	// Created is what the signer claims; zero is the system's clock.
	Created     time.Time
	NotAfter    *time.Time
	Annotations map[string]string
	// Skeleton says what the loader programs do besides what follows from the
	// object: what a machine may set, and what newer versions take over.
	Skeleton skeleton.Options
	// Profiles are the kernel profiles to sign for; empty is all of them.
	Profiles []bpfabi.Profile

	// Signer signs the manifest. Certificate is the one of its key, and is
	// embedded; without it the public key is.
	Signer      *signer.Signer
	Certificate *x509.Certificate
	// KernelSigner makes the kernel signatures and needs KernelCertificate.
	// Without it Signer does, if it has a certificate and the kernel takes its
	// key; otherwise the seal has no kernel signatures.
	KernelSigner      *signer.Signer
	KernelCertificate *x509.Certificate

	// KernelMLDSA has kernel signatures made by ML-DSA keys as well, which only
	// kernels with CONFIG_CRYPTO_MLDSA take, from 7.0 on. Experimental.
	KernelMLDSA bool

	// Intermediates are the CAs between the certificates and the one that
	// machines trust, in this order. They are embedded.
	Intermediates []*x509.Certificate
	// KernelChain has the kernel signatures carry the certificate and
	// Intermediates, for kernel keyrings that have only the CA.
	KernelChain bool
}

// ErrNoKernelKey says that the key that was given for kernel signatures cannot
// make any.
var ErrNoKernelKey = errors.New("the kernel takes no signatures by this key")

// Object generates and signs the seal of an object. The manifest that it
// returns is the one in the seal. Errors of package skeleton, keys and seal
// are in the chain of those it returns.
func Object(object []byte, opt Options) (*seal.Seal, *manifest.Manifest, error) {
	s, m, kernel, err := opt.draft(object)
	if err != nil {
		return nil, nil, err
	}
	if err := opt.sign(s, kernel); err != nil {
		return nil, nil, err
	}
	if err := opt.prove(object, s); err != nil {
		return nil, nil, err
	}
	return s, m, nil
}

// draft is the seal before anything is signed.
func (o *Options) draft(object []byte) (*seal.Seal, *manifest.Manifest, *kernelKey, error) {
	if err := seal.CheckObject(object); err != nil {
		return nil, nil, nil, err
	}
	kernel, err := o.kernel()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := o.check(); err != nil {
		return nil, nil, nil, err
	}
	skel, err := skeleton.Generate(object, o.Skeleton)
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := o.manifest(object, skel, kernel)
	if err != nil {
		return nil, nil, nil, err
	}
	payload, err := manifest.Encode(m)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("write manifest: %w", err)
	}
	s := &seal.Seal{Payload: payload, Metadata: skel.Metadata}
	for _, p := range m.Profiles {
		profile, err := bpfabi.ParseProfile(p.Name)
		if err != nil {
			return nil, nil, nil, err
		}
		s.Loaders = append(s.Loaders, seal.Loader{Profile: profile, Instructions: skel.Loaders[profile]})
	}
	return s, m, kernel, nil
}

// kernelKey is the key that makes the kernel signatures.
type kernelKey struct {
	signer *signer.Signer
	cert   *x509.Certificate
	chain  []*x509.Certificate // above cert
	carry  bool                // the signatures carry cert and chain
}

// kernel chooses the key for kernel signatures; nil means that there are none.
func (o *Options) kernel() (*kernelKey, error) {
	switch {
	case o.Signer == nil:
		return nil, errors.New("no key to sign with")
	case o.KernelSigner != nil:
		if err := o.kernelTakes(o.KernelSigner); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoKernelKey, err)
		}
		if o.KernelCertificate == nil {
			return nil, errors.New("kernel signatures need the certificate of their key: they name it by its subject key id")
		}
		return &kernelKey{o.KernelSigner, o.KernelCertificate, o.Intermediates, o.KernelChain}, nil
	case o.KernelCertificate != nil:
		return nil, errors.New("a certificate for kernel signatures was given without its key")
	case o.kernelTakes(o.Signer) == nil && o.Certificate != nil:
		return &kernelKey{o.Signer, o.Certificate, o.Intermediates, o.KernelChain}, nil
	}
	return nil, nil
}

// kernelTakes returns nil if kernel signatures are to be made by a key.
func (o *Options) kernelTakes(s *signer.Signer) error {
	if _, ok := s.Public().(*keys.MLDSAPublicKey); ok && o.KernelMLDSA {
		return nil
	}
	return keys.KernelKey(s.Public())
}

// check refuses certificates that no verifier would take.
func (o *Options) check() error {
	for _, pair := range []struct {
		signer *signer.Signer
		cert   *x509.Certificate
	}{{o.Signer, o.Certificate}, {o.KernelSigner, o.KernelCertificate}} {
		if pair.cert == nil {
			continue
		}
		if err := keys.CertificateOf(pair.cert, pair.signer.Public()); err != nil {
			return err
		}
		if err := keys.CheckCertificate(pair.cert, time.Now()); err != nil {
			return err
		}
	}
	if len(o.Intermediates) > keys.MaxIntermediates {
		return fmt.Errorf("%d CAs stand between the certificate and the one that is trusted: at most %d can", len(o.Intermediates), keys.MaxIntermediates)
	}
	if o.KernelChain && o.KernelCertificate == nil && (o.Certificate == nil || o.kernelTakes(o.Signer) != nil) {
		return ErrNoKernelKey
	}
	return o.checkChain()
}

// checkChain sees to it that each certificate was issued by the next: a CA that
// does not belong to the signer is no use to anybody.
func (o *Options) checkChain() error {
	if len(o.Intermediates) == 0 {
		return nil
	}
	if o.Certificate == nil {
		return errors.New("CAs are embedded for a certificate, and there is none")
	}
	last := o.Intermediates[len(o.Intermediates)-1]
	ring, err := keys.TrustAuthority(last)
	if err != nil {
		return err
	}
	now := func(ca *x509.Certificate) error { return keys.CheckValidity(ca, time.Now()) }
	certificates := []*x509.Certificate{o.Certificate}
	if o.KernelChain && o.KernelCertificate != nil {
		certificates = append(certificates, o.KernelCertificate)
	}
	for _, cert := range certificates {
		key, err := ring.Issued(cert, o.Intermediates[:len(o.Intermediates)-1], keys.MaxIntermediates, now)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(key.Issuers, o.Intermediates, (*x509.Certificate).Equal) {
			return errors.New("the CAs are not those that issued each other, from the signer's up")
		}
	}
	return nil
}

// manifest completes the manifest that follows from the object.
func (o *Options) manifest(object []byte, skel *skeleton.Skeleton, kernel *kernelKey) (*manifest.Manifest, error) {
	m := skel.Manifest
	sum := sha256.Sum256(object)
	m.Object = manifest.Object{Name: o.ObjectName, SHA256: hex.EncodeToString(sum[:])}
	m.Name, m.Version, m.Annotations = o.Name, o.Version, o.Annotations
	created := o.Created
	if created.IsZero() {
		created = time.Now()
	}
	m.Created = created.UTC().Truncate(time.Second)
	if o.NotAfter != nil {
		t := o.NotAfter.UTC().Truncate(time.Second)
		m.NotAfter = &t
	}
	meta := blobOf(skel.Metadata)
	for _, p := range bpfabi.Profiles() {
		if len(o.Profiles) == 0 || slices.Contains(o.Profiles, p) {
			m.Profiles = append(m.Profiles, manifest.Profile{Name: p.String(), Loader: blobOf(skel.Loaders[p]), Metadata: meta})
		}
	}
	return &m, o.nameSigners(&m, kernel)
}

// nameSigners has the manifest say whose certificates are in the seal.
func (o *Options) nameSigners(m *manifest.Manifest, kernel *kernelKey) error {
	m.KernelSigner, m.Certificates = nil, nil
	if kernel != nil {
		id, err := keys.IDOf(kernel.signer.Public())
		if err != nil {
			return err
		}
		cert := sha256.Sum256(kernel.cert.Raw)
		m.KernelSigner = &manifest.KernelSigner{KeyID: id.String(), Certificate: hex.EncodeToString(cert[:])}
		if kernel.carry {
			m.KernelSigner.Chain = []string{m.KernelSigner.Certificate}
			for _, ca := range kernel.chain {
				m.KernelSigner.Chain = append(m.KernelSigner.Chain, blobOf(ca.Raw).SHA256)
			}
		}
	}
	if o.Certificate != nil && (kernel == nil || !kernel.cert.Equal(o.Certificate)) {
		m.Certificates = append(m.Certificates, blobOf(o.Certificate.Raw).SHA256)
	}
	for _, ca := range o.Intermediates {
		m.Certificates = append(m.Certificates, blobOf(ca.Raw).SHA256)
	}
	slices.Sort(m.Certificates)
	return nil
}

func blobOf(b []byte) manifest.Blob {
	sum := sha256.Sum256(b)
	return manifest.Blob{SHA256: hex.EncodeToString(sum[:]), Length: uint64(len(b))}
}
