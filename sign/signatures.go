package sign

import (
	"errors"
	"fmt"
	"sync"

	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/sign/skeleton"
	"github.com/trustedbpf/tbpf/verify"
)

// sign makes the signature of the manifest and those for the kernel, all at
// once: with RSA each takes milliseconds, with a remote key a round trip.
func (o *Options) sign(s *seal.Seal, kernel *kernelKey) error {
	var wg sync.WaitGroup
	errs := make([]error, 1+len(s.Loaders))
	var own seal.Signature
	wg.Go(func() { own, errs[0] = o.signManifest(s.Payload) })
	if kernel != nil {
		for i := range s.Loaders {
			wg.Go(func() { errs[1+i] = kernel.sign(&s.Loaders[i], s.Metadata) })
		}
		s.Certificates = [][]byte{kernel.cert.Raw}
	}
	for _, ca := range o.Intermediates {
		s.Certificates = append(s.Certificates, ca.Raw)
	}
	wg.Wait()
	s.Signatures = []seal.Signature{own}
	return errors.Join(errs...)
}

// signManifest signs the DSSE pre-authentication encoding of the manifest.
func (o *Options) signManifest(payload []byte) (seal.Signature, error) {
	value, err := o.Signer.Sign(dsse.PAE(manifest.PayloadType, payload))
	if err != nil {
		return seal.Signature{}, fmt.Errorf("sign manifest: %w", err)
	}
	sig := seal.Signature{KeyID: o.Signer.ID(), Algorithm: o.Signer.Algorithm(), Value: value}
	if o.Certificate != nil {
		sig.Certificate = o.Certificate.Raw
		return sig, nil
	}
	sig.PublicKey, err = keys.MarshalPublic(o.Signer.Public())
	return sig, err
}

// sign makes the kernel signature of one profile.
func (k *kernelKey) sign(l *seal.Loader, metadata []byte) error {
	value, err := k.signer.Sign(l.Profile.Payload(l.Instructions, metadata))
	if err != nil {
		return fmt.Errorf("sign profile %s: %w", l.Profile, err)
	}
	if k.carry {
		l.CMS, err = cms.EncodeChain(k.cert, k.chain, value)
	} else {
		l.CMS, err = cms.Encode(k.cert, value)
	}
	if err != nil {
		return fmt.Errorf("sign profile %s: %w", l.Profile, err)
	}
	return nil
}

// prove verifies the seal as a machine that trusts the signer would.
func (o *Options) prove(object []byte, s *seal.Seal) error {
	encoded, err := s.Encode()
	if err != nil {
		return err
	}
	var trusted *keys.TrustedKey
	if o.Certificate != nil {
		trusted, err = keys.TrustCertificate(o.Certificate, "signer")
	} else {
		trusted, err = keys.TrustKey(o.Signer.Public(), "signer")
	}
	if err != nil {
		return err
	}
	_, err = verify.Bytes(object, verify.Options{Keyring: keys.NewKeyring(trusted), Seal: encoded, Checker: mldsa.Checker()})
	if err != nil && !isExpiredObject(err) {
		return fmt.Errorf("the new seal does not verify: %w", err)
	}
	return nil
}

// isExpiredObject tells a seal that ends in the past, which a signer may want
// to make, from one that is wrong.
func isExpiredObject(err error) bool {
	var v *verify.Error
	return errors.As(err, &v) && v.Reason == verify.ObjectExpired
}

// Regenerate is verify.Options.Regenerate: it makes the loader programs anew
// from the object, with what the manifest declares.
func Regenerate(object []byte, m *manifest.Manifest) (*verify.Regenerated, error) {
	skel, err := skeleton.Generate(object, skeleton.OptionsOf(m))
	if err != nil {
		return nil, err
	}
	return &verify.Regenerated{Metadata: skel.Metadata, Loaders: skel.Loaders, Manifest: &skel.Manifest, Compare: (*manifest.Manifest).DiffersFromGenerated}, nil
}
