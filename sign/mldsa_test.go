package sign

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/verify"
)

// hybrid is an object that a P-256 key signed and an ML-DSA key countersigned.
type hybrid struct {
	object       []byte
	seal         *seal.Seal
	classic, new *keys.TrustedKey
	key          *signer.Signer
	opt          Options // of the countersigner
}

func makeHybrid(t *testing.T, algorithm string) *hybrid {
	t.Helper()
	h := &hybrid{object: fixture(t, "xdpcount.bpf.o")}
	key, cert := newKey(t, "ecdsa-p256", time.Hour)
	s, v := verified(t, h.object, options(key, cert))
	h.classic = trust(t, key)
	second, secondCert := newKey(t, algorithm, time.Hour)
	h.key, h.opt, h.new = second, Options{Signer: second, Certificate: secondCert}, trust(t, second)
	var err error
	if h.seal, err = Countersign(v, s, h.opt, false); err != nil {
		t.Fatal(err)
	}
	return h
}

func trust(t *testing.T, key *signer.Signer) *keys.TrustedKey {
	t.Helper()
	out, err := keys.TrustKey(key.Public(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (h *hybrid) verify(t *testing.T, checker keys.Checker, threshold int, ring ...*keys.TrustedKey) (*verify.Verified, error) {
	t.Helper()
	encoded, err := h.seal.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return verify.Bytes(h.object, verify.Options{Keyring: keys.NewKeyring(ring...), Seal: encoded, Threshold: threshold, Checker: checker})
}

func reason(err error) verify.Reason {
	if refused, ok := errors.AsType[*verify.Error](err); ok {
		return refused.Reason
	}
	return ""
}

func TestTwoKeysOfTwoKindsCountAsTwo(t *testing.T) {
	h := makeHybrid(t, "ml-dsa-65")
	v, err := h.verify(t, mldsa.Checker(), 2, h.classic, h.new)
	if err != nil || len(v.Signers()) != 2 {
		t.Fatalf("both keys: %v", err)
	}
	// A keyring that has it twice has it once.
	twice, err := keys.TrustCertificate(h.opt.Certificate, "certificate")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.verify(t, mldsa.Checker(), 2, h.new, twice); reason(err) != verify.TooFewSignatures {
		t.Errorf("one key, bare and with a certificate: %v", err)
	}
	if v, err = h.verify(t, mldsa.Checker(), 1, h.new, twice); err != nil || len(v.Signers()) != 1 {
		t.Errorf("one key: %v", err)
	}
	if _, err := Countersign(v, h.seal, h.opt, false); !errors.Is(err, ErrSignedAlready) {
		t.Errorf("the same key once more: %v", err)
	}
}

// TestWhoDoesNotCheckMLDSATakesNoneOfIt is the trusted loader's view: bytes that
// nobody checks could be any, and so a seal that has them is refused, whoever
// else signed it.
func TestWhoDoesNotCheckMLDSATakesNoneOfIt(t *testing.T) {
	h := makeHybrid(t, "ml-dsa-87")
	none := keys.Checker{}
	for what, trusted := range map[string][]*keys.TrustedKey{"the other key alone": {h.classic}, "both": {h.classic, h.new}, "it alone": {h.new}} {
		_, err := h.verify(t, none, 1, trusted...)
		if refused, ok := errors.AsType[*verify.Error](err); !ok || refused.Reason != verify.AlgorithmUnchecked || refused.ExitCode() != 16 {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.seal.Countersignatures[0].Value[100] ^= 1
	if _, err := h.verify(t, mldsa.Checker(), 1, h.classic); reason(err) != verify.WrongSignature {
		t.Errorf("a wrong one, checked: %v", err)
	}
	h.seal.Countersignatures[0].Value = h.seal.Countersignatures[0].Value[1:]
	if _, err := h.verify(t, none, 1, h.classic); reason(err) != verify.WrongSignature {
		t.Errorf("cut short: %v", err)
	}
	h.seal.Countersignatures = nil
	if _, err := h.verify(t, none, 1, h.classic, h.new); err != nil {
		t.Errorf("without it: %v", err)
	}
}

func TestTheNameOfTheParameterSetIsNotLoose(t *testing.T) {
	h := makeHybrid(t, "ml-dsa-65")
	for _, alg := range []keys.Algorithm{keys.MLDSA87, keys.Ed25519, keys.ECDSAP256SHA256, 9} {
		h.seal.Countersignatures[0].Algorithm = alg
		for name, checker := range map[string]keys.Checker{"checked": mldsa.Checker(), "unchecked": {}} {
			if _, err := h.verify(t, checker, 1, h.classic); reason(err) != verify.WrongSignature {
				t.Errorf("%v, %s: %v", alg, name, err)
			}
		}
	}
}

// TestKernelSignaturesWithMLDSA are made on demand only, and an object that has
// them is refused by who cannot check them.
func TestKernelSignaturesWithMLDSA(t *testing.T) {
	object := fixture(t, "xdpcount.bpf.o")
	key, cert := newKey(t, "ecdsa-p256", time.Hour)
	for _, algorithm := range []string{"ml-dsa-65", "ml-dsa-87"} {
		kernel, kernelCert := newKey(t, algorithm, time.Hour)
		opt := options(key, cert)
		opt.KernelSigner, opt.KernelCertificate = kernel, kernelCert
		if _, _, err := Object(object, opt); !errors.Is(err, ErrNoKernelKey) {
			t.Errorf("%s, not asked for: %v", algorithm, err)
		}
		opt.KernelMLDSA = true
		s, v := verified(t, object, opt)
		if !v.KernelCertificate().Equal(kernelCert) {
			t.Errorf("%s: the kernel signatures are by another key", algorithm)
		}
		for _, l := range s.Loaders {
			parsed, err := cms.Parse(l.CMS)
			if err != nil || parsed.Algorithm != kernel.Algorithm() || !bytes.Equal(parsed.SubjectKeyID, kernelCert.SubjectKeyId) || parsed.Certificates != nil {
				t.Errorf("%s, profile %v: %v", algorithm, l.Profile, err)
			}
		}
		h := &hybrid{object: object, seal: s}
		if _, err := h.verify(t, keys.Checker{}, 1, trust(t, key)); reason(err) != verify.AlgorithmUnchecked {
			t.Errorf("%s, unchecked: %v", algorithm, err)
		}
		s.Loaders[1].CMS[len(s.Loaders[1].CMS)-500] ^= 1
		if _, err := h.verify(t, mldsa.Checker(), 1, trust(t, key)); reason(err) != verify.KernelSignature {
			t.Errorf("%s, changed: %v", algorithm, err)
		}
	}
}

// A list that only an ML-DSA key of the keyring signed revokes nothing and lets
// nothing pass where nobody checks it; beside another signature it does not hurt.
func TestListsSignedWithMLDSA(t *testing.T) {
	h := makeHybrid(t, "ml-dsa-65")
	h.seal.Countersignatures = nil // of the object's own signatures none is ML-DSA
	classic, _ := newKey(t, "ecdsa-p256", time.Hour)
	list := &revocation.List{Name: "fleet"}
	if err := list.Follow(revocation.Entries{Names: []revocation.Version{{Name: "xdpcount", Below: 8}}}, false, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	file, err := list.Sign(h.key.ID(), h.key.Sign)
	if err != nil {
		t.Fatal(err)
	}
	check := func(checker keys.Checker) error {
		t.Helper()
		data, err := file.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		opt := verify.Options{Keyring: keys.NewKeyring(h.classic, h.new, trust(t, classic)), Checker: checker}
		opt.Revocations = verify.ReadRevocations([]verify.RevocationFile{{Path: "list", Data: data}}, opt)
		if opt.Seal, err = h.seal.Encode(); err != nil {
			t.Fatal(err)
		}
		_, err = verify.Bytes(h.object, opt)
		return err
	}
	if err := check(mldsa.Checker()); reason(err) != verify.VersionRevoked {
		t.Errorf("checked: %v", err)
	}
	if err := check(keys.Checker{}); reason(err) != verify.RevocationRefused {
		t.Errorf("unchecked: %v", err)
	}
	if err := file.Add(classic.ID(), classic.Sign); err != nil {
		t.Fatal(err)
	}
	if err := check(keys.Checker{}); reason(err) != verify.VersionRevoked {
		t.Errorf("unchecked, and another key signed as well: %v", err)
	}
	file.Signatures[0].Value[7] ^= 1
	if err := check(mldsa.Checker()); reason(err) != verify.RevocationRefused {
		t.Errorf("wrong: %v", err)
	}
}
