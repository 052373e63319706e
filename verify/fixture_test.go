package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

const vectorDir = "../testdata/vectors"

// now is when the tests verify; the certificates of testdata are valid then.
func now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// testKey is a key of testdata/vectors/keys.
type testKey struct {
	private crypto.Signer
	cert    *x509.Certificate // nil: a bare key
}

func (k testKey) id(t testing.TB) keys.ID {
	t.Helper()
	id, err := keys.IDOf(k.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// loadKey reads NAME.key and, if it is there, NAME.crt.
func loadKey(t testing.TB, name string) testKey {
	t.Helper()
	block := readPEM(t, name+".key")
	parsed, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		t.Fatal(err)
	}
	k := testKey{private: parsed.(crypto.Signer)}
	if _, err := os.Stat(filepath.Join(vectorDir, "keys", name+".crt")); err == nil {
		if k.cert, err = x509.ParseCertificate(readPEM(t, name+".crt")); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func readPEM(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectorDir, "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is no PEM", name)
	}
	return block.Bytes
}

// ring is a keyring of the named test keys, with certificates where they have
// some.
func ring(t testing.TB, names ...string) *keys.Keyring {
	t.Helper()
	var list []*keys.TrustedKey
	for _, name := range names {
		list = append(list, trusted(t, loadKey(t, name)))
	}
	return keys.NewKeyring(list...)
}

func trusted(t testing.TB, k testKey) *keys.TrustedKey {
	t.Helper()
	var out *keys.TrustedKey
	var err error
	if k.cert != nil {
		out, err = keys.TrustCertificate(k.cert, "test")
	} else {
		out, err = keys.TrustKey(k.private.Public(), "test")
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sign makes the signature that the format asks for. ECDSA is deterministic
// (RFC 6979), so that vectors can be made again; PSS is not.
func sign(t testing.TB, k crypto.Signer, alg keys.Algorithm, message []byte) []byte {
	t.Helper()
	digest, opts := message, crypto.SignerOpts(crypto.Hash(0))
	if h := alg.Hash(); h != 0 {
		w := h.New()
		w.Write(message)
		digest, opts = w.Sum(nil), h
	}
	if alg == keys.RSAPSSSHA256 {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	var sig []byte
	var err error
	switch k := k.(type) {
	case *ecdsa.PrivateKey:
		if sig, err = k.Sign(nil, digest, opts); err == nil {
			sig, err = keys.NormalizeECDSA(sig, k.Curve)
		}
	case ed25519.PrivateKey:
		sig, err = k.Sign(nil, digest, opts)
	default:
		sig, err = k.Sign(rand.Reader, digest, opts)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// draft is a sealed object in the making: tests change a part before the next
// step is made of it.
type draft struct {
	object   []byte
	metadata []byte
	loaders  map[bpfabi.Profile][]byte
	profiles []bpfabi.Profile
	manifest manifest.Manifest
	signers  []testKey
	kernel   *testKey // who makes the kernel signatures
	// algorithm replaces the key's own, embed decides whether a signature
	// brings its certificate.
	algorithm func(testKey) keys.Algorithm
	embed     func(testKey) bool
	chain     []string // digests of the certificates that kernel signatures carry
	encode    func(*x509.Certificate, []byte) ([]byte, error)
	// counter is who countersigns, in this order.
	counter []counter
}

// newDraft is a sealed object with all three profiles, signed by one key for
// manifest and kernel.
func newDraft(t testing.TB) *draft {
	t.Helper()
	p256 := loadKey(t, "p256")
	d := bareDraft(t, p256)
	d.profiles = bpfabi.Profiles()
	d.kernel = &p256
	return d
}

// bareDraft has one profile and no kernel signature.
func bareDraft(t testing.TB, signers ...testKey) *draft {
	t.Helper()
	created := time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC)
	d := &draft{
		object:   testObject(),
		metadata: append(make([]byte, 8), "metadata"...),
		loaders:  make(map[bpfabi.Profile][]byte),
		profiles: []bpfabi.Profile{bpfabi.Bound},
		signers:  signers,
		algorithm: func(k testKey) keys.Algorithm {
			alg, err := keys.AlgorithmFor(k.private.Public())
			if err != nil {
				t.Fatal(err)
			}
			return alg
		},
		embed:  func(k testKey) bool { return k.cert != nil },
		encode: cms.Encode,
	}
	for _, p := range bpfabi.Profiles() {
		// A jump to the last instruction, r0 = profile, exit: no loader
		// program, but bytes of the right kind.
		d.loaders[p] = []byte{
			0x05, 0, 1, 0, 0, 0, 0, 0,
			0xb7, 0, 0, 0, byte(p), 0, 0, 0,
			0x95, 0, 0, 0, 0, 0, 0, 0,
		}
	}
	d.manifest = manifest.Manifest{
		Object:       manifest.Object{Name: "count.bpf.o"},
		Name:         "count",
		Version:      7,
		Created:      created,
		Annotations:  map[string]string{"git.revision": "0123abcd"},
		Architecture: "any",
		ByteOrder:    "little",
		Context:      uint32(loadctx.Size(4)),
		Programs: []manifest.Program{{
			Name: "count", KernelName: "count", Section: "xdp", Type: "xdp", AttachType: "xdp",
			Attach:  manifest.Attach{By: manifest.AttachByKernel, Link: 2, Input: manifest.InputInterface, InputSlot: 3},
			License: "GPL", Instructions: manifest.Blob{SHA256: digest([]byte("program")), Length: 16},
			Helpers: []string{"bpf_map_lookup_elem"}, Maps: []string{"counts"}, Slot: 1,
		}},
		Maps: []manifest.Map{{
			Name: "counts", KernelName: "counts", Type: "array", KeySize: 4, ValueSize: 8, MaxEntries: 1, Slot: 0,
		}},
		Delegation: manifest.Delegation{
			Commands: []string{"map_create", "prog_load"}, Maps: []string{"array"}, Programs: []string{"xdp"}, AttachTypes: []string{"xdp"},
		},
		Capabilities: []string{"CAP_BPF", "CAP_NET_ADMIN"},
		Kernel:       manifest.KernelNeeds{Minimum: "5.17"},
	}
	return d
}

// testObject is an ELF header for BPF without anything behind it.
func testObject() []byte {
	b := make([]byte, 64)
	copy(b, "\x7fELF\x02\x01\x01")
	b[16], b[18], b[20] = 1, 247, 1 // ET_REL, EM_BPF, EV_CURRENT
	b[52] = 64
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func blobOf(b []byte) manifest.Blob {
	return manifest.Blob{SHA256: digest(b), Length: uint64(len(b))}
}

// describe fills in what the manifest says of the bytes.
func (d *draft) describe(t testing.TB) *manifest.Manifest {
	m := d.manifest.Clone()
	m.Object.SHA256, m.ObjectSize = digest(d.object), uint64(len(d.object))
	m.Profiles = nil
	for _, p := range d.profiles {
		m.Profiles = append(m.Profiles, manifest.Profile{Name: p.String(), Loader: blobOf(d.loaders[p]), Metadata: blobOf(d.metadata)})
	}
	if d.kernel != nil {
		m.KernelSigner = &manifest.KernelSigner{KeyID: d.kernel.id(t).String(), Certificate: digest(d.kernel.cert.Raw), Chain: d.chain}
	}
	for _, k := range d.signers {
		if d.embed(k) && (d.kernel == nil || !k.cert.Equal(d.kernel.cert)) {
			m.Certificates = append(m.Certificates, digest(k.cert.Raw))
		}
	}
	slices.Sort(m.Certificates)
	return m
}

// seal signs the manifest and makes the seal.
func (d *draft) seal(t testing.TB) *seal.Seal {
	t.Helper()
	payload, err := manifest.Encode(d.describe(t))
	if err != nil {
		t.Fatal(err)
	}
	return d.sealPayload(t, payload)
}

func (d *draft) sealPayload(t testing.TB, payload []byte) *seal.Seal {
	t.Helper()
	s := &seal.Seal{Payload: payload, Metadata: d.metadata}
	for _, k := range d.signers {
		s.Signatures = append(s.Signatures, d.signature(t, k, dsse.PAE(manifest.PayloadType, payload)))
	}
	if d.kernel != nil {
		s.Certificates = [][]byte{d.kernel.cert.Raw}
	}
	for _, p := range d.profiles {
		l := seal.Loader{Profile: p, Instructions: d.loaders[p]}
		if d.kernel != nil {
			l.CMS = d.kernelSignature(t, p)
		}
		s.Loaders = append(s.Loaders, l)
	}
	for _, c := range d.counter {
		d.countersign(t, s, c)
	}
	return s
}

func (d *draft) signature(t testing.TB, k testKey, message []byte) seal.Signature {
	t.Helper()
	alg := d.algorithm(k)
	g := seal.Signature{KeyID: k.id(t), Algorithm: alg, Value: sign(t, k.private, alg, message)}
	if d.embed(k) {
		g.Certificate = k.cert.Raw
		return g
	}
	der, err := keys.MarshalPublic(k.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	g.PublicKey = der
	return g
}

func (d *draft) kernelSignature(t testing.TB, p bpfabi.Profile) []byte {
	t.Helper()
	payload := d.loaders[p]
	if p == bpfabi.Bound {
		payload = slices.Concat(payload, d.metadata)
	}
	alg, err := keys.AlgorithmFor(d.kernel.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	der, err := d.encode(d.kernel.cert, sign(t, d.kernel.private, alg, payload))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// file is the sealed object.
func (d *draft) file(t testing.TB) []byte { return join(t, d.object, d.seal(t)) }

func join(t testing.TB, object []byte, s *seal.Seal) []byte {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return seal.Join(object, b)
}

func options(t testing.TB, names ...string) verify.Options {
	t.Helper()
	return verify.Options{Keyring: ring(t, names...), Now: now()}
}

// mustVerify fails unless the file is verified.
func mustVerify(t testing.TB, file []byte, opt verify.Options) *verify.Verified {
	t.Helper()
	v, err := verify.Bytes(file, opt)
	if err != nil {
		t.Fatalf("not verified: %v", err)
	}
	return v
}

// mustRefuse fails unless the file is refused for the given reason.
func mustRefuse(t testing.TB, file []byte, opt verify.Options, want verify.Reason) *verify.Error {
	t.Helper()
	v, err := verify.Bytes(file, opt)
	if err == nil {
		t.Fatalf("verified, want %s", want)
	}
	if v != nil {
		t.Error("an error and a Verified")
	}
	var refusal *verify.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("error %T is no *verify.Error: %v", err, err)
	}
	if refusal.Reason != want {
		t.Fatalf("refused for %s (%v), want %s", refusal.Reason, err, want)
	}
	if refusal.ExitCode() == 0 || refusal.Verdict() == "verified" {
		t.Errorf("exit code %d, verdict %s for an error", refusal.ExitCode(), refusal.Verdict())
	}
	if bytes.ContainsAny([]byte(refusal.Error()), "\n\x1b\x00") {
		t.Errorf("error text %q has control characters", refusal.Error())
	}
	return refusal
}
