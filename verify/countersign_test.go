package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// counter is a countersignature in the making.
type counter struct {
	key    testKey
	bare   bool     // brings no certificate
	kernel *testKey // has the kernel signatures made anew by this key
	// change is the last to touch the countersignature before it is signed.
	change func(c *seal.Countersignature)
}

// countersigned is when the countersigners of the tests say that they signed.
func countersigned() time.Time { return time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC) }

// countersign adds a countersignature to a seal.
func (d *draft) countersign(t testing.TB, s *seal.Seal, by counter) {
	t.Helper()
	alg, err := keys.AlgorithmFor(by.key.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	c := seal.Countersignature{Signature: seal.Signature{KeyID: by.key.id(t), Algorithm: alg}, Created: uint64(countersigned().Unix())}
	if by.bare || by.key.cert == nil {
		c.PublicKey = mustSPKI(t, by.key)
	} else {
		c.Certificate = by.key.cert.Raw
	}
	if k := by.kernel; k != nil {
		c.Kernel = &seal.KernelSigner{KeyID: k.id(t), Certificate: sha256.Sum256(k.cert.Raw)}
		s.Certificates = append(s.Certificates, k.cert.Raw)
		again := *d
		again.kernel = k
		for i := range s.Loaders {
			s.Loaders[i].CMS = again.kernelSignature(t, s.Loaders[i].Profile)
		}
	}
	if c.Certificate != nil && (c.Kernel == nil || !by.kernel.cert.Equal(by.key.cert)) {
		c.Certificates = []seal.Digest{sha256.Sum256(c.Certificate)}
	}
	if by.change != nil {
		by.change(&c)
	}
	s.Countersignatures = append(s.Countersignatures, c)
	statements := s.Statements(sha256.Sum256(d.object))
	c.Value = sign(t, by.key.private, alg, dsse.PAE(manifest.PayloadType, statements[len(statements)-1]))
	s.Countersignatures[len(s.Countersignatures)-1] = c
}

// promoted is signed by one key for manifest and kernel, countersigned by a
// second without and by a third with kernel signatures of its own.
func promoted(t testing.TB) *draft {
	d := newDraft(t)
	p384 := loadKey(t, "p384")
	d.counter = []counter{{key: loadKey(t, "rsa2048")}, {key: p384, kernel: &p384}}
	return d
}

// fullest has all that a seal can have: the first kernel signer apart, a
// countersigner outside the keyring, one with a bare key, a kernel signer who
// is no countersigner.
func fullest(t testing.TB) *draft {
	d := newDraft(t)
	p384, rsa2048 := loadKey(t, "p384"), loadKey(t, "rsa2048")
	d.signers, d.kernel = []testKey{loadKey(t, "ed25519-bare")}, &p384
	d.counter = []counter{{key: loadKey(t, "p256-other"), bare: true}, {key: loadKey(t, "p256"), kernel: &rsa2048}}
	return d
}

func TestCountersignersCount(t *testing.T) {
	file := promoted(t).file(t)
	opt := options(t, "p256", "rsa2048", "p384")
	opt.Threshold = 3
	v := mustVerify(t, file, opt)
	if len(v.Signers()) != 3 || !slices.IsSortedFunc(v.Signers(), func(a, b verify.Signer) int { return bytes.Compare(a.KeyID[:], b.KeyID[:]) }) {
		t.Errorf("signers %v", v.Signers())
	}
	if !v.KernelCertificate().Equal(loadKey(t, "p384").cert) {
		t.Errorf("kernel signatures by %v", v.KernelCertificate().Subject)
	}
	// Who countersigned vouches for all of it: the first signer need not be
	// known where the last one is.
	mustVerify(t, file, options(t, "p384"))
	opt.Threshold = 4
	mustRefuse(t, file, opt, verify.TooFewSignatures)
	opt = options(t, "ed25519-bare", "p256")
	opt.Threshold = 2
	if v := mustVerify(t, fullest(t).file(t), opt); !v.KernelCertificate().Equal(loadKey(t, "rsa2048").cert) {
		t.Errorf("kernel signatures by %v", v.KernelCertificate().Subject)
	}
}

func TestNoBitOfACountersignedObjectIsLoose(t *testing.T) {
	for name, d := range map[string]*draft{"promoted": promoted(t), "fullest": fullest(t)} {
		t.Run(name, func(t *testing.T) {
			file, opt := d.file(t), options(t, "p256", "ed25519-bare", "rsa2048", "p384", "p521")
			mustVerify(t, file, opt)
			check := func(changed []byte) (*verify.Verified, error) { return verify.Bytes(changed, opt) }
			if name == "fullest" { // with keys that are quick to check
				forEachBit(t, file, check)
			}
			for i := range file {
				changed := slices.Clone(file)
				changed[i] ^= 1 << (i % 8)
				refused(t, check, changed, "bit %d of byte %d flipped", i%8, i)
				refused(t, check, slices.Delete(slices.Clone(file), i, i+1), "byte %d removed", i)
				refused(t, check, slices.Insert(slices.Clone(file), i, file[i]), "byte %d doubled", i)
			}
		})
	}
}

// A certificate has one place: moved between a signature and a record of its
// own, with everything else as it was, the file is refused.
func TestACertificateCannotBeMoved(t *testing.T) {
	reissuedKey := loadKey(t, "p256")
	reissuedKey.cert = reissued(t)
	for name, d := range map[string]*draft{"kernel": newDraft(t), "promoted": promoted(t), "renewed": func() *draft {
		d := newDraft(t)
		d.kernel = &reissuedKey // two certificates of one key
		return d
	}()} {
		t.Run(name, func(t *testing.T) {
			opt := options(t, "p256", "rsa2048", "p384")
			_, good := verify.Bytes(d.file(t), opt)
			s := d.seal(t)
			accepted := b2i(good == nil)
			for g := range s.Signers {
				if g.Certificate == nil {
					continue
				}
				was := *g
				// The bare key, and the certificate apart.
				list := slices.Clone(s.Certificates)
				s.Certificates = append(s.Certificates, g.Certificate)
				g.PublicKey, g.Certificate = mustSPKI(t, keyOf(t, was.KeyID)), nil
				if encoded, err := s.Encode(); err == nil {
					if _, err := verify.Bytes(seal.Join(d.object, encoded), opt); err == nil {
						t.Errorf("the certificate of %v was moved out", was.KeyID)
					}
				}
				*g, s.Certificates = was, list
				// Another certificate of its key in its place.
				for i, other := range s.Certificates {
					if bytes.Equal(other, was.Certificate) || keyOfCertificate(t, other) != was.KeyID {
						continue
					}
					g.Certificate, s.Certificates[i] = other, was.Certificate
					encoded, err := s.Encode()
					if err != nil {
						t.Fatal(err)
					}
					if _, err := verify.Bytes(seal.Join(d.object, encoded), opt); err == nil {
						accepted++
					}
					*g, s.Certificates[i] = was, other
				}
			}
			if accepted != 1 {
				t.Errorf("%d ways to place the certificates are taken, want one", accepted)
			}
		})
	}
}

func keyOf(t testing.TB, id keys.ID) testKey {
	t.Helper()
	for name := range keyKinds() {
		if k := loadKey(t, name); k.id(t) == id {
			return k
		}
	}
	t.Fatalf("no test key %v", id)
	return testKey{}
}

func keyOfCertificate(t testing.TB, der []byte) keys.ID {
	t.Helper()
	cert, err := keys.ParseCertificateDER(der)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOf(cert.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A stranger who replaces the kernel signatures spoils the file for whoever
// does not know them, and gains nothing.
func TestAStrangerCannotMakeTheKernelSignaturesAnew(t *testing.T) {
	other := loadKey(t, "p256-other")
	d := newDraft(t)
	d.counter = []counter{{key: other, kernel: &other}}
	file := d.file(t)
	e := mustRefuse(t, file, options(t, "p256"), verify.KernelSignerUntrusted)
	if e.ExitCode() != 12 || !strings.Contains(e.Error(), other.id(t).String()) {
		t.Errorf("exit code %d, %v", e.ExitCode(), e)
	}
	mustVerify(t, file, options(t, "p256", "p256-other"))

	// Neither can one whose certificate is out of date, or whom policy excludes.
	expired := loadKey(t, "p256-expired")
	p384 := loadKey(t, "p384")
	d.counter = []counter{{key: expired, kernel: &p384}}
	mustRefuse(t, d.file(t), options(t, "p256", "p256-expired", "p384"), verify.CertificateExpired)
	d.counter = []counter{{key: loadKey(t, "rsa2048"), kernel: &p384}}
	opt := options(t, "p256", "rsa2048", "p384")
	mustVerify(t, d.file(t), opt)
	var err error
	if opt.Policy, err = policy.Parse([]byte(`algorithms = ["ecdsa-p256-sha256", "ecdsa-p384-sha384"]`)); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, d.file(t), opt, verify.AlgorithmForbidden)

	// A stranger who only adds a signature counts for nothing, and is told of.
	d.counter = []counter{{key: other}}
	v := mustVerify(t, d.file(t), options(t, "p256"))
	if len(v.Signers()) != 1 || len(v.Notices()) != 1 {
		t.Errorf("signers %v, notices %q", v.Signers(), v.Notices())
	}
}

// Whoever countersigns later is judged by a time of their own.
func TestCountersignersAreJudgedByTheirOwnTime(t *testing.T) {
	future := loadKey(t, "p256-future")
	d := newDraft(t)
	d.counter = []counter{{key: future, kernel: &future, change: func(c *seal.Countersignature) {
		c.Created = uint64(future.cert.NotBefore.Unix())
	}}}
	opt := options(t, "p256", "p256-future")
	mustRefuse(t, d.file(t), opt, verify.CertificateNotYet)
	opt.Policy = policy.Default()
	opt.Policy.Validity = policy.ValidCreated
	mustVerify(t, d.file(t), opt)
	d.counter[0].change = func(c *seal.Countersignature) { c.Created = uint64(future.cert.NotBefore.Unix()) - 1 }
	mustRefuse(t, d.file(t), opt, verify.CertificateNotYet)
	// 1970 is a time like any other, and not "as the manifest says".
	d.counter[0].change = func(c *seal.Countersignature) { c.Created = 0 }
	mustRefuse(t, d.file(t), opt, verify.CertificateNotYet)
}

// The statement is made by concatenation: it is the JSON that it looks like.
func TestTheCountersignersStatementIsJSON(t *testing.T) {
	d := fullest(t)
	s := d.seal(t)
	statements := s.Statements(sha256.Sum256(d.object))
	if len(statements) != 2 {
		t.Fatalf("%d statements", len(statements))
	}
	before := sha256.Sum256(s.Payload)
	for i, statement := range statements {
		var got struct {
			Type          string `json:"_type"`
			PredicateType string `json:"predicateType"`
			Subject       []struct{ Digest struct{ SHA256 string } }
			Predicate     struct {
				Statement, KeyID, Created string
				KernelSigner              *struct{ KeyID, Certificate string }
				Certificates              []string
			}
		}
		if err := json.Unmarshal(statement, &got); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		c := &s.Countersignatures[i]
		p := got.Predicate
		if got.Type != manifest.StatementType || got.PredicateType != seal.CountersignatureType || len(got.Subject) != 1 ||
			got.Subject[0].Digest.SHA256 != digest(d.object) || p.Statement != hex.EncodeToString(before[:]) ||
			p.KeyID != c.KeyID.String() || p.Created != "2026-04-01T09:00:00Z" || len(p.Certificates) != len(c.Certificates) {
			t.Errorf("%s", statement)
		}
		if (p.KernelSigner != nil) != (i == 1) || i == 1 && (p.KernelSigner.KeyID != loadKey(t, "rsa2048").id(t).String() || p.KernelSigner.Certificate != digest(loadKey(t, "rsa2048").cert.Raw)) {
			t.Errorf("%s: kernel signer", statement)
		}
		before = sha256.Sum256(statement)
	}
}

// badCountersignatures are by trusted keys, and belong elsewhere.
func badCountersignatures(t testing.TB) []bad {
	var out []bad
	with := func(reason verify.Reason, name string, change func(d *draft, s *seal.Seal)) {
		d := promoted(t)
		s := d.seal(t)
		change(d, s)
		out = append(out, bad{reason: reason, name: "countersigned-" + name, file: join(t, d.object, s)})
	}
	with(verify.WrongSignature, "another-version", func(d *draft, s *seal.Seal) {
		d.manifest.Version++
		d.counter = nil
		other := d.seal(t)
		s.Payload, s.Signatures = other.Payload, other.Signatures
	})
	with(verify.WrongSignature, "another-object", func(d *draft, s *seal.Seal) {
		again := promoted(t)
		again.object = append(slices.Clone(again.object), 0)
		s.Countersignatures = again.seal(t).Countersignatures
	})
	with(verify.WrongSignature, "in-another-order", func(_ *draft, s *seal.Seal) { slices.Reverse(s.Countersignatures) })
	with(verify.WrongSignature, "first-taken-out", func(_ *draft, s *seal.Seal) { s.Countersignatures = s.Countersignatures[1:] })
	with(verify.WrongSignature, "other-time", func(_ *draft, s *seal.Seal) { s.Countersignatures[0].Created++ })
	with(verify.WrongSignature, "of-the-manifest", func(d *draft, s *seal.Seal) {
		s.Countersignatures[1].Value = d.signature(t, loadKey(t, "p384"), dsse.PAE(manifest.PayloadType, s.Payload)).Value
	})
	with(verify.SignatureNoPAE, "blob-signature", func(d *draft, s *seal.Seal) {
		statement := s.Statements(sha256.Sum256(d.object))[0]
		s.Countersignatures[0].Value = sign(t, loadKey(t, "rsa2048").private, keys.RSAPKCS1v15SHA256, statement)
	})
	with(verify.WrongSignature, "as-a-signature-of-the-manifest", func(_ *draft, s *seal.Seal) {
		s.Signatures = append(s.Signatures, s.Countersignatures[0].Signature)
		s.Countersignatures = nil
	})
	with(verify.WrongSignature, "kernel-signer-not-named", func(_ *draft, s *seal.Seal) { s.Countersignatures[1].Kernel = nil })
	with(verify.WrongSignature, "certificate-not-named", func(_ *draft, s *seal.Seal) { s.Countersignatures[0].Certificates = nil })
	with(verify.KeyIDMismatch, "other-key-id", func(_ *draft, s *seal.Seal) { s.Countersignatures[1].KeyID[0] ^= 1 })
	with(verify.MalformedKey, "no-key", func(_ *draft, s *seal.Seal) {
		s.Countersignatures[0].Certificate, s.Countersignatures[0].PublicKey = nil, []byte("key")
	})
	with(verify.CertMismatch, "last-taken-out", func(_ *draft, s *seal.Seal) { s.Countersignatures = s.Countersignatures[:1] })
	with(verify.KernelSignature, "last-taken-out-with-its-certificate", func(_ *draft, s *seal.Seal) {
		s.Countersignatures, s.Certificates = s.Countersignatures[:1], nil
	})
	with(verify.KernelSignature, "first-signers-kernel-signatures", func(d *draft, s *seal.Seal) {
		d.counter = nil
		s.Loaders = d.seal(t).Loaders
	})
	with(verify.KernelSignature, "one-kernel-signature-of-the-first-signer", func(d *draft, s *seal.Seal) {
		d.counter = nil
		s.Loaders[2] = d.seal(t).Loaders[2]
	})
	named := func(reason verify.Reason, name string, by counter) {
		d := newDraft(t)
		d.counter = []counter{by}
		out = append(out, bad{reason: reason, name: "countersigner-" + name, file: d.file(t)})
	}
	p384, p256 := loadKey(t, "p384"), loadKey(t, "p256")
	named(verify.CertMismatch, "names-a-certificate-that-is-missing", counter{key: p384, change: func(c *seal.Countersignature) {
		c.Certificates = append(c.Certificates, seal.Digest{255, 255, 255, 255})
	}})
	named(verify.CertMismatch, "does-not-name-its-own", counter{key: p384, change: func(c *seal.Countersignature) { c.Certificates = nil }})
	named(verify.KernelSignature, "names-another-kernel-key", counter{key: loadKey(t, "rsa2048"), kernel: &p384, change: func(c *seal.Countersignature) {
		c.Kernel.KeyID = p256.id(t)
	}})
	for _, name := range []string{"p256-ca", "p256-no-codesigning"} {
		k := loadKey(t, name)
		named(verify.KernelSignature, "for-the-kernel-"+strings.TrimPrefix(name, "p256-"), counter{key: loadKey(t, "rsa2048"), kernel: &k})
	}
	other := loadKey(t, "p256-other")
	named(verify.KernelSignerUntrusted, "unknown-with-kernel-signatures", counter{key: other, kernel: &other})
	named(verify.KernelSignerUntrusted, "unknown-with-a-trusted-keys-kernel-signatures", counter{key: other, kernel: &p384})
	// Kernel signatures that only the countersigner names, stripped.
	d := bareDraft(t, loadKey(t, "ed25519-bare"))
	d.counter = []counter{{key: p384, kernel: &p384}}
	s := d.seal(t)
	s.Loaders[0].CMS = nil
	return append(out, bad{reason: verify.KernelSignature, name: "countersigned-kernel-signature-stripped", file: join(t, d.object, s)})
}

func badCountersignatureRecords(t testing.TB, add func(string, ...[]byte)) {
	d := bareDraft(t, loadKey(t, "ed25519-bare"))
	s := d.seal(t)
	d.countersign(t, s, counter{key: loadKey(t, "p384")})
	c := s.Countersignatures[0]
	base := [][]byte{record(recordStatement, s.Payload), signatureRecord(s.Signatures[0]), record(recordMetadata, s.Metadata), loaderRecord(s.Loaders[0])}
	with := func(name string, records ...[]byte) { add("countersignature-"+name, slices.Concat(base, records)...) }
	head := func(kernel, named byte) []byte { return append(make([]byte, 8), kernel, named) }
	signature := signatureRecord(c.Signature)[8:]
	with("record-empty", record(recordCountersignature))
	with("record-cut-short", record(recordCountersignature, make([]byte, 9)))
	with("two-kernel-signers", record(recordCountersignature, head(2, 0), make([]byte, 128), signature))
	with("17-certificates", record(recordCountersignature, head(0, 17), make([]byte, 17*32), signature))
	with("lists-cut-short", record(recordCountersignature, head(1, 1), make([]byte, 95)))
	with("without-signature", record(recordCountersignature, head(1, 1), make([]byte, 96)))
	with("certificates-not-in-order", record(recordCountersignature, head(0, 2), []byte{1}, make([]byte, 63), signature))
	with("one-certificate-twice", record(recordCountersignature, head(0, 2), make([]byte, 64), signature))
	with("time-over-the-year-9999", record(recordCountersignature, slices.Repeat([]byte{255}, 8), []byte{0, 0}, signature))
	one := record(recordCountersignature, head(0, 0), signature)
	with("twice", one, one)
	with("by-a-signer", record(recordCountersignature, head(0, 0), signatureRecord(s.Signatures[0])[8:]))
	add("countersignature-before-the-loader", slices.Concat(base[:3], [][]byte{one}, base[3:])...)
	many := make([][]byte, 0, seal.MaxSignatures)
	for i := range seal.MaxSignatures {
		g := s.Signatures[0]
		g.KeyID[31] ^= byte(i + 1)
		many = append(many, record(recordCountersignature, head(0, 0), signatureRecord(g)[8:]))
	}
	with("16-and-a-signature", many...)
}
