package verify_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/verify"
)

func TestTheZeroVerifiedHasNothingToLoad(t *testing.T) {
	var v verify.Verified
	if _, _, ok := v.Loader(bpfabi.Bound); ok || v.Object() != nil || v.Metadata() != nil || v.Digest() != "" ||
		len(v.Profiles()) != 0 || len(v.Signers()) != 0 || len(v.Notices()) != 0 || v.KernelCertificate() != nil ||
		len(v.Manifest().Programs) != 0 {
		t.Error("the zero value is of use")
	}
}

func TestResultsAreCopies(t *testing.T) {
	v := mustVerify(t, newDraft(t).file(t), options(t, "p256"))
	v.Manifest().Programs[0].Type = "lsm"
	v.Signers()[0].Subject = "somebody"
	if v.Manifest().Programs[0].Type != "xdp" || v.Signers()[0].Subject == "somebody" {
		t.Error("what was verified can be changed")
	}
}

func TestInputsStayAsTheyAre(t *testing.T) {
	file := newDraft(t).file(t)
	before := slices.Clone(file)
	mustVerify(t, file, options(t, "p256"))
	if !bytes.Equal(file, before) {
		t.Error("verifying changed the file")
	}
}

func regenerated(d *draft, t testing.TB) *verify.Regenerated {
	return &verify.Regenerated{Metadata: d.metadata, Loaders: d.loaders, Manifest: d.describe(t), Compare: (*manifest.Manifest).DiffersFromGenerated}
}

func TestReproduce(t *testing.T) {
	d := newDraft(t)
	file, opt := d.file(t), options(t, "p256")
	called := false
	opt.Regenerate = func(object []byte, m *manifest.Manifest) (*verify.Regenerated, error) {
		called = true
		if !bytes.Equal(object, d.object) || m.Name != "count" {
			t.Error("not the object and manifest of the file")
		}
		return regenerated(d, t), nil
	}
	mustVerify(t, file, opt)
	if !called {
		t.Fatal("not called")
	}
	for name, change := range map[string]func(r *verify.Regenerated){
		"metadata":        func(r *verify.Regenerated) { r.Metadata = append(slices.Clone(r.Metadata), 0) },
		"loader":          func(r *verify.Regenerated) { r.Loaders[bpfabi.Selfcheck] = r.Loaders[bpfabi.Bound] },
		"missing loader":  func(r *verify.Regenerated) { delete(r.Loaders, bpfabi.SelfcheckExcl) },
		"no loaders":      func(r *verify.Regenerated) { r.Loaders = nil },
		"program's type":  func(r *verify.Regenerated) { r.Manifest.Programs[0].Type = "lsm" },
		"attach target":   func(r *verify.Regenerated) { r.Manifest.Programs[0].AttachTarget = "x" },
		"a map's flags":   func(r *verify.Regenerated) { r.Manifest.Maps[0].Flags = 128 },
		"a program less":  func(r *verify.Regenerated) { r.Manifest.Programs = nil },
		"more delegation": func(r *verify.Regenerated) { r.Manifest.Delegation.Programs = nil },
	} {
		opt.Regenerate = func([]byte, *manifest.Manifest) (*verify.Regenerated, error) {
			r := regenerated(newDraft(t), t)
			change(r)
			return r, nil
		}
		t.Run(name, func(t *testing.T) { mustRefuse(t, file, opt, verify.NotReproducible) })
	}
	broken := errors.New("broken")
	opt.Regenerate = func([]byte, *manifest.Manifest) (*verify.Regenerated, error) { return nil, broken }
	if e := mustRefuse(t, file, opt, verify.RegenerationFailed); !errors.Is(e, broken) {
		t.Error("the cause is lost")
	}
	opt.Regenerate = func([]byte, *manifest.Manifest) (*verify.Regenerated, error) { return nil, nil }
	mustRefuse(t, file, opt, verify.RegenerationFailed)
	opt.Regenerate = func([]byte, *manifest.Manifest) (*verify.Regenerated, error) {
		r := regenerated(d, t)
		r.Compare = nil
		return r, nil
	}
	mustRefuse(t, file, opt, verify.RegenerationFailed)
	opt.Regenerate = func([]byte, *manifest.Manifest) (*verify.Regenerated, error) { return &verify.Regenerated{}, nil }
	mustRefuse(t, file, opt, verify.RegenerationFailed)
	// Nothing that is not trusted reaches the generator.
	opt.Regenerate = func([]byte, *manifest.Manifest) (*verify.Regenerated, error) {
		t.Error("called for an untrusted file")
		return nil, broken
	}
	opt.Keyring = nil
	mustRefuse(t, file, opt, verify.NoTrustedSigner)
}

func TestInspectShowsWithoutVerifying(t *testing.T) {
	d := bareDraft(t, loadKey(t, "p256-other"))
	s := d.seal(t)
	s.Signatures[0].Value = []byte("wrong")
	encoded, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	u, err := verify.Inspect(seal.Join(d.object, encoded), nil)
	if err != nil || u.Manifest.Name != "count" || !u.ObjectMatches || len(u.Seal.Signatures) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	u, err = verify.Inspect([]byte("another object"), encoded)
	if err != nil || u.ObjectMatches {
		t.Errorf("%+v, %v", u, err)
	}
	for want, file := range map[verify.Reason][]byte{
		verify.NoSeal:            d.object,
		verify.MalformedSeal:     encoded,
		verify.MalformedManifest: join(t, d.object, d.sealPayload(t, []byte("{}"))),
	} {
		var e *verify.Error
		if u, err := verify.Inspect(file, nil); u != nil || !errors.As(err, &e) || e.Reason != want {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A raw blob signature is refused with a hint that says what to do.
func TestHints(t *testing.T) {
	for path, word := range map[string]string{
		"signature-without-pae/blob-signature": "attestation",
		"no-seal/object-alone":                 "tbpf sign",
		"no-trusted-signer/own-certificate":    "--keyring",
		"profile-forbidden/a-weaker-one":       "--profile",
	} {
		b := readBad(t, filepath.Join(badDir, path+".tbpf"))
		if e := mustRefuse(t, b.file, b.options(t, vectorRing(t)), b.reason); !strings.Contains(e.Hint, word) {
			t.Errorf("%s: hint %q", path, e.Hint)
		}
	}
}

// The object is not copied, whatever its size.
func TestAllocatesWithinABound(t *testing.T) {
	d := newDraft(t)
	d.object = make([]byte, seal.MaxObject)
	file, opt := d.file(t), options(t, "p256")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v := mustVerify(t, file, opt)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("%d bytes allocated", n)
	}
	if len(v.Object()) != seal.MaxObject {
		t.Errorf("object of %d bytes", len(v.Object()))
	}
	mustRefuse(t, append([]byte{0}, file...), opt, verify.MalformedSeal)
}

// Nothing but the committed files themselves is ever verified.
func FuzzBytes(f *testing.F) {
	good := make(map[string]bool)
	paths, err := filepath.Glob(filepath.Join(vectorDir, "*.tbpf"))
	if err != nil {
		f.Fatal(err)
	}
	bad, err := filepath.Glob(filepath.Join(badDir, "*", "*.tbpf"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(paths, bad...) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		good[string(data)] = true
	}
	opt := verify.Options{Keyring: vectorRing(f), Now: now()}
	f.Fuzz(func(t *testing.T, file []byte) {
		v, err := verify.Bytes(file, opt)
		var e *verify.Error
		switch {
		case err == nil && !good[string(file)]:
			t.Error("verified")
		case err != nil && (v != nil || !errors.As(err, &e) || e.ExitCode() == 0):
			t.Errorf("error %T: %v", err, err)
		}
	})
}

func BenchmarkBytes(b *testing.B) {
	for name, size := range map[string]int{"64B": 64, "1MiB": 1 << 20} {
		d := newDraft(b)
		d.object = make([]byte, size)
		file, opt := d.file(b), options(b, "p256")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				mustVerify(b, file, opt)
			}
		})
	}
}
