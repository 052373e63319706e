package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
)

// generated makes one Signer per algorithm for all tests.
var generated = func() func(t testing.TB, algorithm string) *Signer {
	var mu sync.Mutex
	made := map[string]*Signer{}
	return func(t testing.TB, algorithm string) *Signer {
		mu.Lock()
		defer mu.Unlock()
		if made[algorithm] == nil {
			s, err := Generate(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			made[algorithm] = s
		}
		return made[algorithm]
	}
}()

func TestEveryAlgorithmSignsInItsOneEncoding(t *testing.T) {
	for algorithm, want := range map[string]struct {
		alg    keys.Algorithm
		kernel bool
	}{
		"ecdsa-p256": {keys.ECDSAP256SHA256, true},
		"ecdsa-p384": {keys.ECDSAP384SHA384, true},
		"rsa-3072":   {keys.RSAPKCS1v15SHA256, true},
		"rsa-4096":   {keys.RSAPKCS1v15SHA256, true},
		"ed25519":    {keys.Ed25519, false},
		"ml-dsa-65":  {keys.MLDSA65, false},
		"ml-dsa-87":  {keys.MLDSA87, false},
	} {
		t.Run(algorithm, func(t *testing.T) {
			s := generated(t, algorithm)
			if s.Algorithm() != want.alg || s.KernelCapable() != want.kernel {
				t.Errorf("%v, for the kernel: %v", s.Algorithm(), s.KernelCapable())
			}
			if id, err := keys.IDOf(s.Public()); err != nil || id != s.ID() {
				t.Errorf("ID %v, want %v (%v)", s.ID(), id, err)
			}
			var wg sync.WaitGroup
			for i := range 4 { // half of all ECDSA signatures have the higher s
				wg.Go(func() {
					message := []byte{byte(i)}
					sig, err := s.Sign(message)
					if err != nil {
						t.Error(err)
						return
					}
					if err := mldsa.Checker().Verify(s.Public(), s.Algorithm(), message, sig); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		})
	}
	if len(Algorithms()) != 7 || Algorithms()[0] != DefaultAlgorithm {
		t.Errorf("Algorithms() = %q", Algorithms())
	}
	for _, name := range []string{"", "rsa-2048", "ECDSA-P256", "ecdsa-p224", "ml-dsa-44"} {
		if _, err := Generate(name); err == nil {
			t.Errorf("Generate(%q) makes a key", name)
		}
	}
}

func TestECDSASignaturesAreNormalized(t *testing.T) {
	s := generated(t, "ecdsa-p256")
	for range 32 { // by chance alone all would be low once in 2^32
		sig, err := s.Sign([]byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		if low, err := keys.NormalizeECDSA(sig, elliptic.P256()); err != nil || string(low) != string(sig) {
			t.Fatalf("a signature left in another form: %v", err)
		}
	}
}

// faulty is a signer that lives elsewhere and returns what it likes.
type faulty struct {
	crypto.Signer
	sign func(digest []byte) ([]byte, error)
}

func (f faulty) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return f.sign(digest)
}

func TestWrongSignatureNeverLeaves(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for name, key := range map[string]crypto.Signer{
		"an error":               faulty{p256, func([]byte) ([]byte, error) { return nil, broken }},
		"nothing":                faulty{p256, func([]byte) ([]byte, error) { return nil, nil }},
		"raw r and s":            faulty{p256, func([]byte) ([]byte, error) { return make([]byte, 64), nil }},
		"ECDSA of other message": faulty{p256, func(d []byte) ([]byte, error) { d[0]++; return p256.Sign(rand.Reader, d, crypto.SHA256) }},
		"RSA of other message":   faulty{rsaKey, func(d []byte) ([]byte, error) { d[0]++; return rsaKey.Sign(rand.Reader, d, crypto.SHA256) }},
		"PSS for PKCS #1":        faulty{rsaKey, func(d []byte) ([]byte, error) { return rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, d, nil) }},
		"Ed25519 of a digest":    faulty{edKey, func(d []byte) ([]byte, error) { return edKey.Sign(rand.Reader, d[1:], crypto.Hash(0)) }},
	} {
		s, err := New(key)
		if err != nil {
			t.Fatal(err)
		}
		if sig, err := s.Sign([]byte("message")); err == nil || sig != nil {
			t.Errorf("%s: %x leaves the signer (%v)", name, sig, err)
		}
	}
}

func TestNewRefusesWeakKeys(t *testing.T) {
	weakRSA, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{weakRSA, p224} {
		var keyErr *keys.KeyError
		if _, err := New(key); !errors.As(err, &keyErr) {
			t.Errorf("%T: %v", key, err)
		}
	}
}

func TestCloseWipesAndEndsSigning(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{ec, rsaKey, ed} {
		s, err := New(key)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		s.Close()
		if _, err := s.Sign([]byte("m")); !errors.Is(err, ErrClosed) {
			t.Errorf("%T signs after Close: %v", key, err)
		}
		for name, f := range map[string]func() error{
			"MarshalPlain":     func() error { _, err := s.MarshalPlain(); return err },
			"MarshalEncrypted": func() error { _, err := s.MarshalEncrypted([]byte("p")); return err },
			"Certificate":      func() error { _, err := s.Certificate(CertificateOptions{Name: "n", Now: noon}); return err },
			"Request":          func() error { _, err := s.Request("n"); return err },
		} {
			if err := f(); !errors.Is(err, ErrClosed) {
				t.Errorf("%T, %s after Close: %v", key, name, err)
			}
		}
	}
	for i, n := range append(rsaKey.Primes, rsaKey.D, rsaKey.Precomputed.Dp, rsaKey.Precomputed.Dq, rsaKey.Precomputed.Qinv) {
		for _, word := range n.Bits() {
			if word != 0 {
				t.Errorf("secret number %d of the RSA key is still there", i)
			}
		}
	}
	for _, b := range ed {
		if b != 0 {
			t.Fatal("the Ed25519 key is still there")
		}
	}
	//lint:ignore SA1019 only D itself shows that it was wiped
	for _, word := range ec.D.Bits() {
		if word != 0 {
			t.Fatal("the ECDSA key is still there")
		}
	}
}

func BenchmarkSignRSA4096(b *testing.B) {
	s := generated(b, "rsa-4096")
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			digest := keys.RSAPKCS1v15SHA256.Hash().New().Sum(nil)
			if _, err := s.key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("checked", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Sign(nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
