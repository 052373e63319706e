package sign

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign/skeleton"
	"github.com/trustedbpf/tbpf/verify"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newKey makes a key and its certificate.
func newKey(t *testing.T, algorithm string, validFor time.Duration) (*signer.Signer, *x509.Certificate) {
	t.Helper()
	s, err := signer.Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	der, err := s.Certificate(signer.CertificateOptions{Name: "test", Now: time.Now(), ValidFor: validFor})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keys.ParseCertificateDER(der)
	if err != nil {
		t.Fatal(err)
	}
	return s, cert
}

func options(s *signer.Signer, cert *x509.Certificate) Options {
	return Options{ObjectName: "xdpcount.bpf.o", Name: "xdpcount", Version: 7, Signer: s, Certificate: cert}
}

// verified seals the object and verifies it with the signer's certificate.
func verified(t *testing.T, object []byte, opt Options) (*seal.Seal, *verify.Verified) {
	t.Helper()
	s, _, err := Object(object, opt)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.TrustKey(opt.Signer.Public(), "test")
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.Bytes(seal.Join(object, enc), verify.Options{Keyring: keys.NewKeyring(key), Regenerate: Regenerate, Checker: mldsa.Checker()})
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestEveryAlgorithmSignsWhatVerifies(t *testing.T) {
	object := fixture(t, "xdpcount.bpf.o")
	for _, algorithm := range signer.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			key, cert := newKey(t, algorithm, time.Hour)
			s, v := verified(t, object, options(key, cert))
			for _, l := range s.Loaders {
				if (l.CMS != nil) != key.KernelCapable() {
					t.Errorf("profile %s: kernel signature of %d bytes", l.Profile, len(l.CMS))
				}
			}
			if (v.Manifest().KernelSigner != nil) != key.KernelCapable() {
				t.Error("the manifest does not tell whether there are kernel signatures")
			}
		})
	}
}

func TestEd25519NeedsAnotherKeyForTheKernel(t *testing.T) {
	object := fixture(t, "xdpcount.bpf.o")
	key, cert := newKey(t, "ed25519", time.Hour)
	kernel, kernelCert := newKey(t, "ecdsa-p256", time.Hour)
	opt := options(key, cert)
	opt.KernelSigner, opt.KernelCertificate = kernel, kernelCert
	s, v := verified(t, object, opt)
	if len(s.Signatures) != 1 || s.Loaders[0].CMS == nil {
		t.Fatalf("%d signatures, kernel signature of %d bytes", len(s.Signatures), len(s.Loaders[0].CMS))
	}
	if !v.KernelCertificate().Equal(kernelCert) {
		t.Error("the kernel signatures are not by the key that was named")
	}
	opt.KernelSigner, opt.KernelCertificate = key, cert
	if _, _, err := Object(object, opt); !errors.Is(err, ErrNoKernelKey) {
		t.Errorf("kernel signatures by Ed25519: %v", err)
	}
}

func TestBareKeySignsTheManifestAlone(t *testing.T) {
	key, _ := newKey(t, "ecdsa-p256", time.Hour)
	s, _ := verified(t, fixture(t, "xdpcount.bpf.o"), options(key, nil))
	if s.Loaders[0].CMS != nil || s.Certificates != nil {
		t.Error("kernel signatures without a certificate: the kernel could not find the key")
	}
}

func TestWrongCertificatesAreRefused(t *testing.T) {
	object := fixture(t, "xdpcount.bpf.o")
	key, cert := newKey(t, "ecdsa-p256", time.Hour)
	_, other := newKey(t, "ecdsa-p256", time.Hour)
	if _, _, err := Object(object, options(key, other)); err == nil {
		t.Error("signed with the certificate of another key")
	}
	der, err := key.Certificate(signer.CertificateOptions{Name: "test", ValidFor: time.Second, Now: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	expired, err := keys.ParseCertificateDER(der)
	if err != nil {
		t.Fatal(err)
	}
	var c *keys.CertificateError
	if _, _, err := Object(object, options(key, expired)); !errors.As(err, &c) || !c.Temporal() {
		t.Errorf("signed with an expired certificate: %v", err)
	}
	opt := options(key, cert)
	opt.KernelCertificate = cert
	if _, _, err := Object(object, opt); err == nil {
		t.Error("a certificate for the kernel without its key was ignored")
	}
}

func TestDeterministicSignaturesGiveTheSameBytes(t *testing.T) {
	object := fixture(t, "multi.bpf.o")
	key, cert := newKey(t, "rsa-3072", time.Hour)
	opt := options(key, cert)
	opt.Created = time.Unix(1700000000, 0)
	opt.Annotations = map[string]string{"revision": "1", "builder": "2"}
	var first []byte
	for range 3 {
		s, _, err := Object(object, opt)
		if err != nil {
			t.Fatal(err)
		}
		enc, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = enc
		} else if !bytes.Equal(first, enc) {
			t.Fatal("two seals of the same object differ")
		}
	}
}

func TestProfilesAreThoseAskedFor(t *testing.T) {
	key, cert := newKey(t, "ecdsa-p256", time.Hour)
	opt := options(key, cert)
	opt.Profiles = []bpfabi.Profile{bpfabi.SelfcheckExcl, bpfabi.Bound}
	s, v := verified(t, fixture(t, "xdpcount.bpf.o"), opt)
	if len(s.Loaders) != 2 || s.Loaders[0].Profile != bpfabi.Bound || s.Loaders[1].Profile != bpfabi.SelfcheckExcl {
		t.Errorf("profiles in the seal: %v", s.Loaders)
	}
	if _, _, ok := v.Loader(bpfabi.Selfcheck); ok {
		t.Error("a profile that was left out is there")
	}
}

func TestSealedAndUnsupportedObjectsAreRefused(t *testing.T) {
	key, cert := newKey(t, "ecdsa-p256", time.Hour)
	object := fixture(t, "xdpcount.bpf.o")
	s, _, err := Object(object, options(key, cert))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var malformed *seal.MalformedError
	if _, _, err := Object(seal.Join(object, enc), options(key, cert)); !errors.As(err, &malformed) {
		t.Errorf("a sealed object was sealed again: %v", err)
	}
	var unsupported *skeleton.UnsupportedError
	if _, _, err := Object(fixture(t, "refused/structops.bpf.o"), options(key, cert)); !errors.As(err, &unsupported) {
		t.Errorf("struct_ops: %v", err)
	}
	if _, _, err := Object(object, Options{Name: "x"}); err == nil {
		t.Error("signed without a key")
	}
}
