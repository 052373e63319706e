package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// badKeys break the key that a signature brings.
func badKeys(t testing.TB) []bad {
	var out []bad
	// with makes a file whose one signature is changed; what it signs stays.
	with := func(reason verify.Reason, name string, change func(g *seal.Signature, d *draft)) {
		d := bareDraft(t, loadKey(t, "ed25519-bare"))
		s := d.seal(t)
		change(&s.Signatures[0], d)
		out = append(out, bad{reason: reason, name: name, file: join(t, d.object, s)})
	}
	with(verify.MalformedKey, "no-der", func(g *seal.Signature, _ *draft) { g.PublicKey = []byte("key") })
	with(verify.MalformedKey, "trailing-byte", func(g *seal.Signature, _ *draft) {
		g.PublicKey = append(slices.Clone(g.PublicKey), 0)
	})
	with(verify.MalformedKey, "certificate-no-der", func(g *seal.Signature, _ *draft) {
		g.Certificate, g.PublicKey = g.PublicKey, nil
	})
	with(verify.MalformedKey, "certificate-trailing-byte", func(g *seal.Signature, _ *draft) {
		g.Certificate, g.PublicKey = append(slices.Clone(loadKey(t, "p256").cert.Raw), 0), nil
	})
	with(verify.MalformedKey, "rsa-1024", func(g *seal.Signature, d *draft) {
		weak, err := x509.MarshalPKIXPublicKey(weakRSA(t))
		if err != nil {
			t.Fatal(err)
		}
		g.PublicKey, g.KeyID, g.Algorithm = weak, sha256.Sum256(weak), keys.RSAPKCS1v15SHA256
	})
	with(verify.MalformedKey, "certificate-rsa-1024", func(g *seal.Signature, _ *draft) {
		ca := loadKey(t, "ed25519-bare") // signs without randomness
		template := certTemplate("weak", nil)
		cert, err := x509.CreateCertificate(rand.Reader, template, template, weakRSA(t), ca.private)
		if err != nil {
			t.Fatal(err)
		}
		g.Certificate, g.PublicKey, g.KeyID, g.Algorithm = cert, nil, keys.ID{}, keys.RSAPKCS1v15SHA256
	})
	with(verify.MalformedKey, "p224", func(g *seal.Signature, _ *draft) {
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P224(), append(make([]byte, 27), 7))
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		g.PublicKey, g.KeyID = der, sha256.Sum256(der)
	})
	with(verify.MalformedKey, "ed25519-small-order", func(g *seal.Signature, _ *draft) {
		// Under this key a signature of zeroes fits about every message.
		y := make([]byte, 32)
		y[0] = 1
		der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(y))
		if err != nil {
			t.Fatal(err)
		}
		g.PublicKey, g.KeyID, g.Value = der, sha256.Sum256(der), make([]byte, 64)
		g.Value[0] = 1
	})
	with(verify.KeyIDMismatch, "zero", func(g *seal.Signature, _ *draft) { g.KeyID = keys.ID{} })
	with(verify.KeyIDMismatch, "of-another-trusted-key", func(g *seal.Signature, _ *draft) { g.KeyID = loadKey(t, "p256").id(t) })
	with(verify.KeyIDMismatch, "own-key-under-a-trusted-id", func(g *seal.Signature, d *draft) {
		own := d.signature(t, loadKey(t, "p256-other"), message(t, d))
		own.KeyID = loadKey(t, "p256").id(t)
		*g = own
		g.Certificate, g.PublicKey = nil, mustSPKI(t, loadKey(t, "p256-other"))
	})
	return out
}

func weakRSA(t testing.TB) crypto.PublicKey {
	t.Helper()
	// 1024 bits of a number that nobody needs to factor: it is refused unseen.
	n := new(big.Int).SetBit(big.NewInt(1), 1023, 1)
	der, err := asn1.Marshal(struct {
		N *big.Int
		E int
	}{n, 65537})
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

func mustSPKI(t testing.TB, k testKey) []byte {
	t.Helper()
	der, err := keys.MarshalPublic(k.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// message is what a draft's signers sign.
func message(t testing.TB, d *draft) []byte {
	t.Helper()
	return dsse.PAE(manifest.PayloadType, payload(t, d))
}

func payload(t testing.TB, d *draft) []byte {
	t.Helper()
	b, err := manifest.Encode(d.describe(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// badSignatures have a good key and a wrong signature by it.
func badSignatures(t testing.TB) []bad {
	var out []bad
	with := func(reason verify.Reason, key, name string, change func(g *seal.Signature, d *draft)) {
		d := bareDraft(t, loadKey(t, key))
		d.embed = func(testKey) bool { return false }
		s := d.seal(t)
		change(&s.Signatures[0], d)
		out = append(out, bad{reason: reason, name: name, file: join(t, d.object, s)})
	}
	over := func(key string, message func(d *draft) []byte) func(*seal.Signature, *draft) {
		return func(g *seal.Signature, d *draft) { g.Value = d.signature(t, loadKey(t, key), message(d)).Value }
	}
	with(verify.WrongSignature, "ed25519-bare", "zeroes", func(g *seal.Signature, _ *draft) { g.Value = make([]byte, 64) })
	with(verify.WrongSignature, "ed25519-bare", "of-another-statement", over("ed25519-bare", func(d *draft) []byte {
		d.manifest.Version++
		return message(t, d)
	}))
	with(verify.WrongSignature, "ed25519-bare", "of-another-payload-type", over("ed25519-bare", func(d *draft) []byte {
		return dsse.PAE("application/json", payload(t, d))
	}))
	with(verify.WrongSignature, "ed25519-bare", "of-the-object", over("ed25519-bare", func(d *draft) []byte { return d.object }))
	with(verify.WrongSignature, "p256", "of-the-kernel-payload", over("p256", func(d *draft) []byte {
		return slices.Concat(d.loaders[1], d.metadata)
	}))
	with(verify.SignatureNoPAE, "p256", "blob-signature", over("p256", func(d *draft) []byte { return payload(t, d) }))
	with(verify.WrongSignature, "p256", "algorithm-0", func(g *seal.Signature, _ *draft) { g.Algorithm = 0 })
	with(verify.WrongSignature, "p256", "algorithm-255", func(g *seal.Signature, _ *draft) { g.Algorithm = 255 })
	with(verify.WrongSignature, "p256", "algorithm-of-another-curve", func(g *seal.Signature, _ *draft) { g.Algorithm = keys.ECDSAP384SHA384 })
	with(verify.WrongSignature, "rsa2048", "pkcs1-said-to-be-pss", func(g *seal.Signature, _ *draft) { g.Algorithm = keys.RSAPSSSHA256 })
	with(verify.WrongSignature, "p256", "high-s", func(g *seal.Signature, _ *draft) {
		r, s := rs(t, g.Value)
		g.Value = der(t, r, s.Sub(elliptic.P256().Params().N, s))
	})
	with(verify.WrongSignature, "p256", "r-plus-order", func(g *seal.Signature, _ *draft) {
		r, s := rs(t, g.Value)
		g.Value = der(t, r.Add(r, elliptic.P256().Params().N), s)
	})
	with(verify.WrongSignature, "p256", "r-and-s-zero", func(g *seal.Signature, _ *draft) {
		g.Value = der(t, new(big.Int), new(big.Int))
	})
	with(verify.WrongSignature, "p256", "r-negative", func(g *seal.Signature, _ *draft) {
		r, s := rs(t, g.Value)
		g.Value = der(t, r.Neg(r), s)
	})
	with(verify.WrongSignature, "p256", "der-trailing-byte", func(g *seal.Signature, _ *draft) { g.Value = append(slices.Clone(g.Value), 0) })
	with(verify.WrongSignature, "p256", "der-long-length", func(g *seal.Signature, _ *draft) {
		g.Value = slices.Concat([]byte{0x30, 0x81, g.Value[1]}, g.Value[2:])
	})
	with(verify.WrongSignature, "p256", "raw-r-and-s", func(g *seal.Signature, _ *draft) {
		r, s := rs(t, g.Value)
		g.Value = s.FillBytes(append(r.FillBytes(make([]byte, 32)), make([]byte, 32)...)[32:])
	})
	with(verify.WrongSignature, "rsa2048", "rsa-leading-zero", func(g *seal.Signature, _ *draft) { g.Value = slices.Concat([]byte{0}, g.Value) })
	out = append(out, bad{reason: verify.WrongSignature, name: "foreign-beside-a-good-one", file: foreignWrong(t)})
	return out
}

// foreignWrong has a good signature by a trusted key and a wrong one by a key
// outside the keyring.
func foreignWrong(t testing.TB) []byte {
	d := bareDraft(t, loadKey(t, "ed25519-bare"), loadKey(t, "p256-other"))
	d.embed = func(testKey) bool { return false }
	s := d.seal(t)
	for i := range s.Signatures {
		if g := &s.Signatures[i]; g.Algorithm == keys.ECDSAP256SHA256 {
			g.Value = slices.Clone(g.Value)
			g.Value[len(g.Value)-1] ^= 1
		}
	}
	return join(t, d.object, s)
}

func rs(t testing.TB, sig []byte) (r, s *big.Int) {
	t.Helper()
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &v); err != nil || len(rest) != 0 {
		t.Fatal(err)
	}
	return v.R, v.S
}

func der(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// badSigners have right signatures by keys that do not count.
func badSigners(t testing.TB) []bad {
	var out []bad
	signed := func(reason verify.Reason, name, policy string, change func(d *draft), by ...string) {
		var list []testKey
		for _, n := range by {
			list = append(list, loadKey(t, n))
		}
		d := bareDraft(t, list...)
		if change != nil {
			change(d)
		}
		out = append(out, bad{reason: reason, name: name, file: d.file(t), policy: policy})
	}
	bare := func(d *draft) { d.embed = func(testKey) bool { return false } }
	signed(verify.NoTrustedSigner, "own-certificate", "", nil, "p256-other")
	signed(verify.NoTrustedSigner, "own-key", "", bare, "p256-other")
	signed(verify.NoTrustedSigner, "two-foreign", "", nil, "p256-other", "p256-ca")
	signed(verify.NoTrustedSigner, "foreign-before-policy", "algorithms = []\n", nil, "p256-other")
	signed(verify.CertificateExpired, "expired", "", nil, "p256-expired")
	signed(verify.CertificateExpired, "expired-and-forbidden", "algorithms = [\"ed25519\"]\n", nil, "p256-expired")
	signed(verify.CertificateExpired, "expired-beside-a-foreign", "", nil, "p256-expired", "p256-other")
	signed(verify.CertificateExpired, "expired-among-foreign", "", nil, "p256-expired", "p256-other", "p256-ca", "p256-no-codesigning")
	signed(verify.CertificateExpired, "when-created", "validity = \"created\"\n", nil, "p256-expired")
	for _, name := range []string{"p256-expired", "p256-future"} {
		reason := verify.CertificateExpired
		if name == "p256-future" {
			reason = verify.CertificateNotYet
		}
		kernel := func(d *draft) {
			k := loadKey(t, name)
			d.kernel = &k
		}
		signed(reason, "for-the-kernel", "", kernel, "p256")
		signed(reason, "for-the-kernel-when-created", "validity = \"created\"\n", kernel, "p256")
		signed(reason, "for-the-kernel-before-threshold", "threshold = 2\n", kernel, "p256")
	}
	signed(verify.CertificateNotYet, "future", "", nil, "p256-future")
	signed(verify.CertificateNotYet, "when-created", "validity = \"created\"\n", nil, "p256-future")
	signed(verify.AlgorithmForbidden, "none-allowed", "algorithms = []\n", nil, "ed25519-bare")
	signed(verify.AlgorithmForbidden, "another-allowed", "algorithms = [\"ed25519\", \"ecdsa-p384-sha384\"]\n", nil, "p256")
	signed(verify.AlgorithmForbidden, "for-the-kernel", "algorithms = [\"ed25519\"]\n", func(d *draft) {
		k := loadKey(t, "p256")
		d.kernel = &k
	}, "ed25519-bare")
	signed(verify.TooFewSignatures, "one-of-two", "threshold = 2\n", nil, "p256")
	signed(verify.TooFewSignatures, "two-of-three", "threshold = 3\n", nil, "p256", "ed25519-bare")
	signed(verify.TooFewSignatures, "foreign-does-not-count", "threshold = 2\n", nil, "p256", "p256-other")
	signed(verify.CertificateExpired, "one-of-two", "threshold = 2\n", nil, "p256", "p256-expired")
	signed(verify.TooFewSignatures, "dropped-for-two-reasons", "algorithms = [\"ecdsa-p256-sha256\"]\n", nil, "p256-expired", "ed25519-bare")
	signed(verify.TooFewSignatures, "before-policy", "threshold = 2\nprogram-types = []\n", nil, "p256")
	signed(verify.ObjectExpired, "not-after", "", notAfter, "p256")
	signed(verify.ObjectExpired, "before-threshold", "threshold = 2\n", notAfter, "p256")
	signed(verify.ObjectExpired, "before-policy", "program-types = []\n", notAfter, "p256")
	signed(verify.ObjectExpired, "validity-ignored", "validity = \"ignore\"\n", notAfter, "p256")
	signed(verify.ProgramTypeForbidden, "none-allowed", "program-types = []\n", nil, "p256")
	signed(verify.ProgramTypeForbidden, "another-allowed", "program-types = [\"lsm\", \"tracing\"]\n", nil, "p256")
	signed(verify.ProfileForbidden, "none-allowed", "profiles = []\n", nil, "p256")
	signed(verify.ProfileForbidden, "a-weaker-one", "profiles = [\"bound\"]\n", func(d *draft) { d.profiles = []bpfabiProfile{1, 3} }, "p256")
	return out
}

func notAfter(d *draft) {
	end := d.manifest.Created.AddDate(0, 1, 0)
	d.manifest.NotAfter = &end
}
