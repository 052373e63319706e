package verify_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

type bpfabiProfile = bpfabi.Profile

// badManifests are signed by a trusted key and do not say what a manifest
// says. More of them, by field, are in internal/manifest.
func badManifests(t testing.TB) []bad {
	var out []bad
	signed := func(name string, change func(good string) string) {
		d := bareDraft(t, loadKey(t, "ed25519-bare"))
		s := d.sealPayload(t, []byte(change(string(payload(t, d)))))
		out = append(out, bad{reason: verify.MalformedManifest, name: name, file: join(t, d.object, s)})
	}
	is := func(s string) func(string) string { return func(string) string { return s } }
	replace := func(old, with string) func(string) string {
		return func(good string) string {
			if !strings.Contains(good, old) {
				t.Fatalf("the statement has no %s", old)
			}
			return strings.Replace(good, old, with, 1)
		}
	}
	signed("not-json", is("manifest"))
	signed("null", is("null"))
	signed("empty-object", is("{}"))
	signed("cut-short", func(good string) string { return good[:len(good)-1] })
	signed("byte-order-mark", func(good string) string { return "\ufeff" + good })
	signed("trailing-brace", func(good string) string { return good + "}" })
	signed("two-documents", func(good string) string { return good + good })
	signed("trailing-zero", func(good string) string { return good + "\x00" })
	signed("deep-nesting", is(strings.Repeat("[", 10000)))
	signed("unknown-field", replace(`"version":7`, `"version":7,"verison":8`))
	signed("duplicate-field", replace(`"version":7`, `"version":7,"version":8`))
	signed("case-folded-field", replace(`"version":7`, `"version":7,"Version":8`))
	signed("other-case-alone", replace(`"version":7`, `"VERSION":7`))
	signed("missing-field", replace(`"version":7,`, ``))
	signed("null-field", replace(`"version":7`, `"version":null`))
	signed("version-negative", replace(`"version":7`, `"version":-1`))
	signed("version-over-64-bits", replace(`"version":7`, `"version":18446744073709551616`))
	signed("version-as-text", replace(`"version":7`, `"version":"7"`))
	signed("version-exponent", replace(`"version":7`, `"version":7e0`))
	signed("invalid-utf-8", replace(`"count.bpf.o"`, "\"count\xff.o\""))
	signed("lone-surrogate", replace(`"count.bpf.o"`, `"count\ud800.o"`))
	signed("statement-v0.1", replace("in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1"))
	signed("another-predicate", replace("manifest/v1", "manifest/v2"))
	signed("no-subject", replace(`"subject":[`, `"subject":[],"x":[`))
	signed("two-subjects", func(good string) string {
		i, j := strings.Index(good, `{"name":"count.bpf.o"`), strings.Index(good, `],"predicateType"`)
		return good[:j] + "," + good[i:j] + good[j:]
	})
	signed("name-path-traversal", replace(`"name":"count","version"`, `"name":"../count","version"`))
	signed("name-absolute", replace(`"name":"count","version"`, `"name":"/count","version"`))
	signed("name-dot-dot", replace(`"name":"count","version"`, `"name":"..","version"`))
	signed("name-with-nul", replace(`"name":"count","version"`, `"name":"co\u0000unt","version"`))
	signed("name-with-escape-sequence", replace(`"name":"count","version"`, `"name":"co\u001b[2Junt","version"`))
	signed("program-name-path", replace(`"name":"count","kernelName"`, `"name":"a/b","kernelName"`))
	signed("program-name-bidi", replace(`"name":"count","kernelName"`, `"name":"co\u202eunt","kernelName"`))
	signed("map-name-newline", replace(`"name":"counts"`, `"name":"counts\n"`))
	return out
}

// badContents are about the object and the loader programs.
func badContents(t testing.TB) []bad {
	var out []bad
	with := func(reason verify.Reason, name string, change func(d *draft, s *seal.Seal)) {
		d := bareDraft(t, loadKey(t, "ed25519-bare"))
		d.profiles = bpfabi.Profiles()
		d.metadata = append(make([]byte, 24), "metadata"...)
		s := d.seal(t)
		change(d, s)
		out = append(out, bad{reason: reason, name: name, file: join(t, d.object, s)})
	}
	with(verify.ObjectMismatch, "one-bit", func(d *draft, _ *seal.Seal) { d.object[20] ^= 1 })
	with(verify.ObjectMismatch, "one-byte-more", func(d *draft, _ *seal.Seal) { d.object = append(d.object, 0) })
	with(verify.ObjectMismatch, "one-byte-less", func(d *draft, _ *seal.Seal) { d.object = d.object[:63] })
	with(verify.ObjectMismatch, "another-object", func(d *draft, _ *seal.Seal) { d.object = []byte("another object") })
	d := bareDraft(t, loadKey(t, "ed25519-bare"))
	sealed := d.file(t)[len(d.object):]
	other := slices.Clone(d.object)
	other[24] = 1
	out = append(out, bad{reason: verify.ObjectMismatch, name: "detached-seal-of-another", file: other, seal: sealed})
	with(verify.ProfileMismatch, "strongest-stripped", func(_ *draft, s *seal.Seal) { s.Loaders = s.Loaders[1:] })
	with(verify.ProfileMismatch, "weakest-stripped", func(_ *draft, s *seal.Seal) { s.Loaders = s.Loaders[:2] })
	with(verify.LoaderMismatch, "programs-swapped", func(_ *draft, s *seal.Seal) {
		s.Loaders[0].Instructions, s.Loaders[2].Instructions = s.Loaders[2].Instructions, s.Loaders[0].Instructions
	})
	with(verify.LoaderMismatch, "one-bit", func(_ *draft, s *seal.Seal) {
		s.Loaders[1].Instructions = slices.Clone(s.Loaders[1].Instructions)
		s.Loaders[1].Instructions[12] ^= 0x80
	})
	with(verify.LoaderMismatch, "boundary-shifted-into-metadata", func(_ *draft, s *seal.Seal) {
		for i := range s.Loaders {
			s.Loaders[i].Instructions = slices.Concat(s.Loaders[i].Instructions, s.Metadata[:8])
		}
		s.Metadata = s.Metadata[8:]
	})
	with(verify.MetadataMismatch, "one-bit", func(_ *draft, s *seal.Seal) {
		s.Metadata = slices.Clone(s.Metadata)
		s.Metadata[31] ^= 1
	})
	with(verify.MetadataMismatch, "zeroes-appended", func(_ *draft, s *seal.Seal) { s.Metadata = slices.Concat(s.Metadata, make([]byte, 8)) })
	// The digest is right and the size is not.
	said := func(reason verify.Reason, name string, change func(m *manifest.Manifest)) {
		d := bareDraft(t, loadKey(t, "ed25519-bare"))
		m := d.describe(t)
		change(m)
		b, err := manifest.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bad{reason: reason, name: name, file: join(t, d.object, d.sealPayload(t, b))})
	}
	said(verify.ObjectMismatch, "size-in-manifest", func(m *manifest.Manifest) { m.ObjectSize++ })
	said(verify.LoaderMismatch, "length-in-manifest", func(m *manifest.Manifest) { m.Profiles[0].Loader.Length += 8 })
	said(verify.MetadataMismatch, "length-in-manifest", func(m *manifest.Manifest) { m.Profiles[0].Metadata.Length += 8 })
	// One profile of two, said to be another one.
	d = bareDraft(t, loadKey(t, "ed25519-bare"))
	d.profiles = []bpfabi.Profile{bpfabi.Bound, bpfabi.Selfcheck}
	s := d.seal(t)
	s.Loaders[1].Profile = bpfabi.SelfcheckExcl
	out = append(out, bad{reason: verify.ProfileMismatch, name: "said-to-be-another", file: join(t, d.object, s)})
	s = d.seal(t)
	s.Loaders = append(s.Loaders, seal.Loader{Profile: bpfabi.SelfcheckExcl, Instructions: d.loaders[bpfabi.SelfcheckExcl]})
	out = append(out, bad{reason: verify.ProfileMismatch, name: "one-added", file: join(t, d.object, s)})
	return slices.Concat(out, badCertificates(t), badCountersignatures(t))
}

func badCertificates(t testing.TB) []bad {
	var out []bad
	with := func(name string, change func(d *draft, s *seal.Seal)) {
		d := newDraft(t)
		d.signers = append(d.signers, loadKey(t, "rsa2048"))
		s := d.seal(t)
		change(d, s)
		out = append(out, bad{reason: verify.CertMismatch, name: name, file: join(t, d.object, s)})
	}
	signatureBy := func(s *seal.Seal, alg keys.Algorithm) *seal.Signature {
		for i := range s.Signatures {
			if s.Signatures[i].Algorithm == alg {
				return &s.Signatures[i]
			}
		}
		t.Fatal("no such signature")
		return nil
	}
	with("kernel-signers-missing", func(_ *draft, s *seal.Seal) {
		g := signatureBy(s, keys.ECDSAP256SHA256)
		g.Certificate, g.PublicKey, s.Certificates = nil, mustSPKI(t, loadKey(t, "p256")), nil
	})
	with("signers-missing", func(_ *draft, s *seal.Seal) {
		g := signatureBy(s, keys.RSAPKCS1v15SHA256)
		g.Certificate, g.PublicKey = nil, mustSPKI(t, loadKey(t, "rsa2048"))
	})
	with("same-key-reissued", func(_ *draft, s *seal.Seal) {
		c := reissued(t)
		signatureBy(s, keys.ECDSAP256SHA256).Certificate, s.Certificates = c.Raw, nil
	})
	with("foreign-brings-one", func(d *draft, s *seal.Seal) {
		s.Signatures = append(s.Signatures, d.signature(t, loadKey(t, "p256-other"), message(t, d)))
	})
	with("apart-without-need", func(_ *draft, s *seal.Seal) {
		s.Certificates = [][]byte{loadKey(t, "p384").cert.Raw}
	})
	// The place of a certificate is in the signature by its key.
	with("apart-and-not-in-its-signature", func(_ *draft, s *seal.Seal) {
		g := signatureBy(s, keys.ECDSAP256SHA256)
		g.Certificate, g.PublicKey = nil, mustSPKI(t, loadKey(t, "p256"))
	})
	// Two certificates that the manifest names, each in the other's place.
	with("apart-not-the-kernel-signers", func(_ *draft, s *seal.Seal) {
		g := signatureBy(s, keys.RSAPKCS1v15SHA256)
		g.Certificate, g.PublicKey, s.Certificates = nil, mustSPKI(t, loadKey(t, "rsa2048")), [][]byte{loadKey(t, "rsa2048").cert.Raw}
	})
	// A certificate that the manifest names, apart and not in its signature.
	d := bareDraft(t, loadKey(t, "p384"))
	s := d.seal(t)
	s.Signatures[0].Certificate, s.Signatures[0].PublicKey = nil, mustSPKI(t, loadKey(t, "p384"))
	s.Certificates = [][]byte{loadKey(t, "p384").cert.Raw}
	return append(out, bad{reason: verify.CertMismatch, name: "apart-belongs-to-no-signature", file: join(t, d.object, s)})
}

func reissued(t testing.TB) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectorDir, "keys", "p256.reissued.crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// badKernelSignatures have a good statement and kernel signatures that the
// kernel might take and verify must not.
func badKernelSignatures(t testing.TB) []bad {
	var out []bad
	add := func(name string, d *draft, s *seal.Seal) {
		out = append(out, bad{reason: verify.KernelSignature, name: name, file: join(t, d.object, s)})
	}
	with := func(name string, change func(d *draft, s *seal.Seal)) {
		d := newDraft(t)
		s := d.seal(t)
		change(d, s)
		add(name, d, s)
	}
	value := func(sig []byte) []byte {
		parsed, err := cms.Parse(sig)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Signature
	}
	with("one-stripped", func(_ *draft, s *seal.Seal) { s.Loaders[2].CMS = nil })
	with("all-stripped", func(_ *draft, s *seal.Seal) {
		for i := range s.Loaders {
			s.Loaders[i].CMS = nil
		}
	})
	with("of-another-profile", func(_ *draft, s *seal.Seal) { s.Loaders[1].CMS, s.Loaders[2].CMS = s.Loaders[2].CMS, s.Loaders[1].CMS })
	with("bound-without-metadata", func(d *draft, s *seal.Seal) {
		d.metadata = nil
		s.Loaders[0].CMS = d.kernelSignature(t, bpfabi.Bound)
	})
	with("by-another-key", func(d *draft, s *seal.Seal) {
		k := loadKey(t, "p256-other")
		d.kernel = &k
		s.Loaders[0].CMS = d.kernelSignature(t, bpfabi.Bound)
	})
	with("issuer-and-serial-number", func(d *draft, s *seal.Seal) {
		der, err := cms.EncodeIssuerSerial(d.kernel.cert, value(s.Loaders[0].CMS))
		if err != nil {
			t.Fatal(err)
		}
		s.Loaders[0].CMS = der
	})
	with("trailing-byte", func(_ *draft, s *seal.Seal) { s.Loaders[0].CMS = append(slices.Clone(s.Loaders[0].CMS), 0) })
	with("indefinite-length", func(_ *draft, s *seal.Seal) {
		c := s.Loaders[0].CMS
		s.Loaders[0].CMS = slices.Concat([]byte{c[0], 0x80}, c[2+int(c[1]&0x7f)*b2i(c[1] >= 0x80):], []byte{0, 0})
	})
	with("no-der", func(_ *draft, s *seal.Seal) { s.Loaders[0].CMS = []byte("signature") })
	with("plain-signature", func(_ *draft, s *seal.Seal) { s.Loaders[0].CMS = value(s.Loaders[0].CMS) })
	// The manifest names nobody, and a signature is there all the same.
	d := newDraft(t)
	sig := d.kernelSignature(t, bpfabi.Bound)
	d.kernel = nil
	s := d.seal(t)
	s.Loaders[0].CMS = sig
	add("not-in-the-manifest", d, s)
	for _, name := range []string{"p256-ca", "p256-no-codesigning"} {
		d := bareDraft(t, loadKey(t, "ed25519-bare"))
		k := loadKey(t, name)
		d.kernel = &k
		add("certificate-"+strings.TrimPrefix(name, "p256-"), d, d.seal(t))
	}
	d = bareDraft(t, loadKey(t, "ed25519-bare"))
	k := loadKey(t, "p256")
	d.kernel = &k
	m := d.describe(t)
	m.KernelSigner.KeyID = strings.Repeat("0", 64)
	b, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	add("key-id-of-another", d, d.sealPayload(t, b))
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
