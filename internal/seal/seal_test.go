package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
)

func instructions(n int) []byte { return bytes.Repeat([]byte{0x95, 0, 0, 0, 0, 0, 0, 0}, n) }

// example has one of everything, in the order in which it is encoded.
func example() *seal.Seal {
	return &seal.Seal{
		Payload: []byte("statement"),
		Signatures: []seal.Signature{
			{KeyID: keys.ID{1}, Algorithm: keys.Ed25519, PublicKey: []byte("key"), Value: []byte("signature")},
			{KeyID: keys.ID{2}, Algorithm: keys.ECDSAP256SHA256, Certificate: []byte("certificate"), Value: []byte("signature")},
		},
		Certificates: [][]byte{[]byte("another certificate"), []byte("other certificate")},
		Metadata:     make([]byte, 16),
		Loaders: []seal.Loader{
			{Profile: bpfabi.Bound, Instructions: instructions(2), CMS: []byte("cms")},
			{Profile: bpfabi.Selfcheck, Instructions: instructions(3)},
		},
		Countersignatures: []seal.Countersignature{
			{Signature: seal.Signature{KeyID: keys.ID{9}, Algorithm: keys.Ed25519, PublicKey: []byte("key"), Value: []byte("signature")}, Created: 1700000000},
			{Signature: seal.Signature{KeyID: keys.ID{8}, Algorithm: keys.RSAPKCS1v15SHA256, Certificate: []byte("its certificate"), Value: []byte("signature")},
				Kernel: &seal.KernelSigner{KeyID: keys.ID{8}, Certificate: seal.Digest{1}}, Certificates: []seal.Digest{{2}, {3}}},
		},
	}
}

func encode(t testing.TB, s *seal.Seal) []byte {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equal(a, b *seal.Seal) bool {
	return bytes.Equal(a.Payload, b.Payload) && bytes.Equal(a.Metadata, b.Metadata) && slices.EqualFunc(a.Certificates, b.Certificates, bytes.Equal) &&
		slices.EqualFunc(a.Signatures, b.Signatures, func(x, y seal.Signature) bool {
			return x.KeyID == y.KeyID && x.Algorithm == y.Algorithm && bytes.Equal(x.Certificate, y.Certificate) &&
				bytes.Equal(x.PublicKey, y.PublicKey) && bytes.Equal(x.Value, y.Value)
		}) &&
		slices.EqualFunc(a.Loaders, b.Loaders, func(x, y seal.Loader) bool {
			return x.Profile == y.Profile && bytes.Equal(x.Instructions, y.Instructions) && bytes.Equal(x.CMS, y.CMS)
		}) && reflect.DeepEqual(a.Countersignatures, b.Countersignatures)
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	want := example()
	b := encode(t, want)
	got, err := seal.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again := encode(t, got); !bytes.Equal(again, b) {
		t.Error("encoded again it differs")
	}
}

func TestOrderDoesNotChangeTheEncoding(t *testing.T) {
	want := encode(t, example())
	s := example()
	slices.Reverse(s.Signatures)
	slices.Reverse(s.Loaders)
	slices.Reverse(s.Certificates)
	before := s.Signatures[0].KeyID
	if got := encode(t, s); !bytes.Equal(got, want) {
		t.Error("the order of signatures or loaders shows in the encoding")
	}
	if s.Signatures[0].KeyID != before {
		t.Error("Encode changed its receiver")
	}
}

func TestACertificateStandsInTheSealOnce(t *testing.T) {
	s := example()
	s.Certificates = [][]byte{s.Signatures[1].Certificate, s.Countersignatures[1].Certificate}
	got, err := seal.Decode(encode(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if got.Certificates != nil {
		t.Error("the certificate of a signature has a record of its own")
	}
	var all []string
	for der := range got.EmbeddedCertificates {
		all = append(all, string(der))
	}
	if !slices.Equal(all, []string{"certificate", "its certificate"}) {
		t.Errorf("certificates %q", all)
	}
}

func TestSplitIsTheInverseOfJoin(t *testing.T) {
	object, sealed := []byte("object"), encode(t, example())
	file := seal.Join(object, sealed)
	o, s, err := seal.Split(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o, object) || !bytes.Equal(s, sealed) {
		t.Error("object or seal differs")
	}
	if !seal.Sealed(file) || seal.Sealed(object) {
		t.Error("Sealed is wrong")
	}
	// What is appended to a part must not write into the next.
	_ = append(o, 'x')
	if !bytes.Equal(file, seal.Join(object, sealed)) {
		t.Error("the object's slice reaches into the seal")
	}
}

func TestDecodeAliasesItsInput(t *testing.T) {
	b := encode(t, example())
	s, err := seal.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	within := func(p []byte) bool {
		for i := range b {
			if &b[i] == &p[0] {
				return true
			}
		}
		return false
	}
	for _, p := range [][]byte{s.Payload, s.Metadata, s.Certificates[0], s.Certificates[1], s.Countersignatures[1].Certificate, s.Loaders[0].Instructions, s.Loaders[0].CMS,
		s.Signatures[0].PublicKey, s.Signatures[0].Value, s.Signatures[1].Certificate} {
		if !within(p) {
			t.Errorf("%q is a copy", p)
		}
		if cap(p) != len(p) && !bytes.Equal(p, s.Signatures[0].Value) && !bytes.Equal(p, s.Loaders[0].Instructions) {
			t.Errorf("%q has capacity for what follows it", p)
		}
	}
}

func TestWithoutMagicItIsUnsigned(t *testing.T) {
	b := encode(t, example())
	for _, file := range [][]byte{nil, []byte("object"), b[:len(b)-1], b[:len(b)-32], append(slices.Clone(b), 0)} {
		if _, _, err := seal.Split(file); !errors.Is(err, seal.ErrUnsigned) {
			t.Errorf("Split of %d bytes: %v", len(file), err)
		}
		if _, err := seal.Decode(file); !errors.Is(err, seal.ErrUnsigned) {
			t.Errorf("Decode of %d bytes: %v", len(file), err)
		}
	}
}

// Encode gives out nothing that Decode would refuse.
func TestEncodeRefusesWhatIsNoSeal(t *testing.T) {
	for name, change := range map[string]func(s *seal.Seal){
		"no statement":          func(s *seal.Seal) { s.Payload = nil },
		"long statement":        func(s *seal.Seal) { s.Payload = make([]byte, seal.MaxStatement+1) },
		"no signature":          func(s *seal.Seal) { s.Signatures = nil },
		"17 signatures":         func(s *seal.Seal) { s.Signatures = many(seal.MaxSignatures + 1) },
		"one key twice":         func(s *seal.Seal) { s.Signatures[1].KeyID = s.Signatures[0].KeyID },
		"key and certificate":   func(s *seal.Seal) { s.Signatures[0].Certificate = []byte("c") },
		"no key":                func(s *seal.Seal) { s.Signatures[0].PublicKey = nil },
		"empty key":             func(s *seal.Seal) { s.Signatures[0].PublicKey = []byte{} },
		"long key":              func(s *seal.Seal) { s.Signatures[0].PublicKey = make([]byte, seal.MaxPublicKey+1) },
		"empty certificate":     func(s *seal.Seal) { s.Signatures[1].Certificate = []byte{} },
		"long certificate":      func(s *seal.Seal) { s.Signatures[1].Certificate = make([]byte, seal.MaxCertificate+1) },
		"no signature value":    func(s *seal.Seal) { s.Signatures[0].Value = nil },
		"long signature value":  func(s *seal.Seal) { s.Signatures[0].Value = make([]byte, seal.MaxSignature+1) },
		"empty own certificate": func(s *seal.Seal) { s.Certificates[0] = []byte{} },
		"long own certificate":  func(s *seal.Seal) { s.Certificates[0] = make([]byte, seal.MaxCertificate+1) },
		"certificate twice": func(s *seal.Seal) {
			s.Signatures[0].PublicKey, s.Signatures[0].Certificate = nil, []byte("certificate")
		},
		"own certificate twice": func(s *seal.Seal) { s.Certificates[0] = s.Certificates[1] },
		"17 certificates": func(s *seal.Seal) {
			s.Certificates = nil
			for i := range 17 {
				s.Certificates = append(s.Certificates, []byte{byte(i)})
			}
		},
		"certificate twice, by a countersigner": func(s *seal.Seal) { s.Countersignatures[1].Certificate = []byte("certificate") },
		"one key twice, as a countersigner":     func(s *seal.Seal) { s.Countersignatures[0].KeyID = keys.ID{1} },
		"one countersigner twice":               func(s *seal.Seal) { s.Countersignatures[0].KeyID = keys.ID{8} },
		"17 signatures in all": func(s *seal.Seal) {
			s.Signatures = many(seal.MaxSignatures)
			s.Countersignatures = s.Countersignatures[:1]
			s.Countersignatures[0].KeyID = keys.ID{99}
		},
		"countersigned in the year 10000":   func(s *seal.Seal) { s.Countersignatures[0].Created = 253402300800 },
		"countersigner without key":         func(s *seal.Seal) { s.Countersignatures[0].PublicKey = nil },
		"countersigner's certificates 17":   func(s *seal.Seal) { s.Countersignatures[1].Certificates = make([]seal.Digest, 17) },
		"countersigner's certificate twice": func(s *seal.Seal) { s.Countersignatures[1].Certificates[0] = seal.Digest{3} },
		"countersigner's certificates disordered": func(s *seal.Seal) {
			s.Countersignatures[1].Certificates = []seal.Digest{{3}, {2}}
		},
		"countersigner names the kernel's twice": func(s *seal.Seal) { s.Countersignatures[1].Kernel.Certificate = seal.Digest{2} },
		"no metadata":                            func(s *seal.Seal) { s.Metadata = nil },
		"metadata of 12 bytes":                   func(s *seal.Seal) { s.Metadata = make([]byte, 12) },
		"metadata not zero":                      func(s *seal.Seal) { s.Metadata[7] = 1 },
		"no loader":                              func(s *seal.Seal) { s.Loaders = nil },
		"profile 0":                              func(s *seal.Seal) { s.Loaders[0].Profile = 0 },
		"profile 4":                              func(s *seal.Seal) { s.Loaders[0].Profile = 4 },
		"one profile twice":                      func(s *seal.Seal) { s.Loaders[1].Profile = bpfabi.Bound },
		"empty kernel signature":                 func(s *seal.Seal) { s.Loaders[0].CMS = []byte{} },
		"long kernel signature":                  func(s *seal.Seal) { s.Loaders[0].CMS = make([]byte, seal.MaxCMS+1) },
		"one instruction":                        func(s *seal.Seal) { s.Loaders[0].Instructions = instructions(1) },
		"half an instruction":                    func(s *seal.Seal) { s.Loaders[0].Instructions = make([]byte, 20) },
		"too many instructions":                  func(s *seal.Seal) { s.Loaders[0].Instructions = instructions(1000001) },
		"too much to sign":                       func(s *seal.Seal) { s.Metadata = make([]byte, 1<<24-16) },
	} {
		s := example()
		change(s)
		var m *seal.MalformedError
		if b, err := s.Encode(); !errors.As(err, &m) {
			t.Errorf("%s: %d bytes, error %v", name, len(b), err)
		}
	}
}

func many(n int) []seal.Signature {
	var out []seal.Signature
	for i := range n {
		out = append(out, seal.Signature{KeyID: keys.ID{byte(i)}, Algorithm: keys.Ed25519, PublicKey: []byte("key"), Value: []byte("s")})
	}
	return out
}

func TestTheGreatestSealIsTaken(t *testing.T) {
	s := &seal.Seal{
		Payload:    make([]byte, seal.MaxStatement),
		Signatures: many(seal.MaxSignatures),
		Metadata:   make([]byte, 1<<24-8-seal.MaxLoader),
	}
	for _, p := range bpfabi.Profiles() {
		s.Loaders = append(s.Loaders, seal.Loader{Profile: p, Instructions: make([]byte, seal.MaxLoader), CMS: make([]byte, seal.MaxCMS)})
	}
	b := encode(t, s)
	if _, err := seal.Decode(b); err != nil {
		t.Fatal(err)
	}
	object := make([]byte, seal.MaxObject)
	if _, _, err := seal.Split(append(object, b...)); err != nil {
		t.Fatal(err)
	}
	var m *seal.MalformedError
	if _, _, err := seal.Split(append(append(object, 0), b...)); !errors.As(err, &m) {
		t.Errorf("an object over the limit: %v", err)
	}
}

// Whatever the input claims, Decode allocates next to nothing.
func TestDecodeAllocatesWithinABound(t *testing.T) {
	s := &seal.Seal{Payload: make([]byte, 1<<20), Signatures: many(seal.MaxSignatures), Metadata: make([]byte, 1<<20),
		Loaders: []seal.Loader{{Profile: bpfabi.Bound, Instructions: instructions(1 << 17)}}}
	good := encode(t, s)
	liar := slices.Clone(good)
	binary.LittleEndian.PutUint32(liar[4:], 1<<32-1)
	for name, b := range map[string][]byte{"good": good, "false length": liar} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := seal.Decode(b)
		runtime.ReadMemStats(&after)
		if (err == nil) != (name == "good") {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

func FuzzSplit(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		object, sealed, err := seal.Split(file)
		if err != nil {
			wantTyped(t, err)
			return
		}
		if !bytes.Equal(seal.Join(object, sealed), file) {
			t.Error("Join does not give the file back")
		}
	})
}

func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := seal.Decode(b)
		if err != nil {
			wantTyped(t, err)
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatalf("decoded and not encoded: %v", err)
		}
		if !bytes.Equal(again, b) {
			t.Error("two encodings of one seal")
		}
	})
}

func wantTyped(t *testing.T, err error) {
	t.Helper()
	var m *seal.MalformedError
	if !errors.Is(err, seal.ErrUnsigned) && !errors.As(err, &m) {
		t.Errorf("error %T: %v", err, err)
	}
}

// seed adds an example and the files of testdata that break the form.
func seed(f *testing.F) {
	b, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append([]byte("object"), b...))
	paths, err := filepath.Glob("../../testdata/bad/malformed-seal/*.tbpf")
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds in testdata/bad", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}
