package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/verify"
)

// ErrSignedAlready says that a key signs an object once.
var ErrSignedAlready = errors.New("this key signed it already")

// Countersign adds a signature to a seal without touching the others: of a
// statement that names the object and everything signed before it. With kernel
// the kernel signatures are made anew, by the options' kernel key or the
// countersigner's own, and the statement says so. Of the options only the keys,
// Intermediates and Created count.
//
// Who countersigns vouches for all of it: the caller has verified it before.
func Countersign(v *verify.Verified, s *seal.Seal, opt Options, kernel bool) (*seal.Seal, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	for g := range s.Signers {
		if g.KeyID == opt.Signer.ID() {
			return nil, ErrSignedAlready
		}
	}
	out := *s
	out.Loaders, out.Certificates = slices.Clone(s.Loaders), slices.Clone(s.Certificates)
	c := seal.Countersignature{Signature: seal.Signature{KeyID: opt.Signer.ID(), Algorithm: opt.Signer.Algorithm()}, Created: opt.countersigned()}
	var err error
	if opt.Certificate != nil {
		c.Certificate = opt.Certificate.Raw
	} else if c.PublicKey, err = keys.MarshalPublic(opt.Signer.Public()); err != nil {
		return nil, err
	}
	if kernel {
		if c.Kernel, err = opt.kernelAgain(&out); err != nil {
			return nil, err
		}
	}
	for _, cert := range append([]*x509.Certificate{opt.Certificate}, opt.Intermediates...) {
		if cert == nil {
			continue
		}
		if digest := seal.Digest(sha256.Sum256(cert.Raw)); c.Kernel == nil || c.Kernel.Certificate != digest {
			c.Certificates = append(c.Certificates, digest)
		}
		if keys.IsCA(cert) && !embeds(&out, cert) {
			out.Certificates = append(out.Certificates, cert.Raw)
		}
	}
	slices.SortFunc(c.Certificates, func(a, b seal.Digest) int { return bytes.Compare(a[:], b[:]) })
	out.Countersignatures = append(slices.Clone(s.Countersignatures), c)
	statements := out.Statements(sha256.Sum256(v.Object()))
	last := &out.Countersignatures[len(statements)-1]
	if last.Value, err = opt.Signer.Sign(dsse.PAE(manifest.PayloadType, statements[len(statements)-1])); err != nil {
		return nil, fmt.Errorf("countersign: %w", err)
	}
	return &out, proveAll(v.Object(), &out)
}

// countersigned is the time that a countersigner claims.
func (o *Options) countersigned() uint64 {
	if o.Created.IsZero() {
		return uint64(time.Now().Unix())
	}
	return uint64(max(o.Created.Unix(), 0))
}

// kernelAgain makes the kernel signatures anew.
func (o *Options) kernelAgain(s *seal.Seal) (*seal.KernelSigner, error) {
	k, err := o.kernel()
	switch {
	case err != nil:
		return nil, err
	case k == nil:
		return nil, fmt.Errorf("%w, or it has no certificate", ErrNoKernelKey)
	case k.carry:
		return nil, errors.New("a countersigner's kernel signatures carry no certificates")
	}
	for i := range s.Loaders {
		if err := k.sign(&s.Loaders[i], s.Metadata); err != nil {
			return nil, err
		}
	}
	if !embeds(s, k.cert) {
		s.Certificates = append(s.Certificates, k.cert.Raw)
	}
	return &seal.KernelSigner{KeyID: k.signer.ID(), Certificate: sha256.Sum256(k.cert.Raw)}, nil
}

func embeds(s *seal.Seal, cert *x509.Certificate) bool {
	for der := range s.EmbeddedCertificates {
		if bytes.Equal(der, cert.Raw) {
			return true
		}
	}
	return false
}

// Attested adds a signature of the manifest that another program made, cosign
// above all: value is the key's over the DSSE encoding of the very same statement.
func Attested(v *verify.Verified, s *seal.Seal, key *keys.TrustedKey, value []byte) (*seal.Seal, error) {
	for have := range s.Signers {
		if have.KeyID == key.ID {
			return nil, ErrSignedAlready
		}
	}
	g := seal.Signature{KeyID: key.ID, Value: value}
	var err error
	if g.Algorithm, err = key.Algorithm(); err != nil {
		return nil, err
	}
	if g.PublicKey, err = keys.MarshalPublic(key.Public); err != nil {
		return nil, err
	}
	if k, ok := key.Public.(*ecdsa.PublicKey); ok { // others leave the higher s
		if g.Value, err = keys.NormalizeECDSA(value, k.Curve); err != nil {
			return nil, err
		}
	}
	out := *s
	out.Signatures = append(slices.Clone(s.Signatures), g)
	return &out, proveAll(v.Object(), &out)
}

// proveAll verifies a seal as somebody would who trusts every key in it: all of
// it must be right.
func proveAll(object []byte, s *seal.Seal) error {
	encoded, err := s.Encode()
	if err != nil {
		return err
	}
	var all []*keys.TrustedKey
	for g := range s.Signers {
		pub, err := g.Key()
		if err != nil {
			return err
		}
		key, err := keys.TrustKey(pub, "signer")
		if err != nil {
			return err
		}
		all = append(all, key)
	}
	if _, err = verify.Bytes(object, verify.Options{Keyring: keys.NewKeyring(all...), Seal: encoded, Checker: mldsa.Checker()}); err != nil && !isExpiredObject(err) {
		return fmt.Errorf("the new seal does not verify: %w", err)
	}
	return nil
}
