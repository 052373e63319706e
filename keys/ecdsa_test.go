package keys

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func derPair(r, s *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	return b.BytesOrPanic()
}

func TestHighSIsNormalizedAndRefusedByVerify(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		t.Run(curve.Params().Name, func(t *testing.T) {
			key, n := ecKey(t, curve), curve.Params().N
			alg, err := AlgorithmFor(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			low, err := NormalizeECDSA(signFor(t, key, alg, []byte("m")), curve)
			if err != nil {
				t.Fatal(err)
			}
			r, s, err := parseECDSA(low)
			if err != nil {
				t.Fatal(err)
			}
			high := derPair(r, new(big.Int).Sub(n, s))
			if err := Verify(key.Public(), alg, []byte("m"), low); err != nil {
				t.Errorf("low s: %v", err)
			}
			if err := Verify(key.Public(), alg, []byte("m"), high); !errors.Is(err, ErrSignature) {
				t.Errorf("high s: %v", err)
			}
			if err := VerifyAnyS(key.Public(), alg, []byte("m"), high); err != nil {
				t.Errorf("high s, any taken: %v", err)
			}
			if again, err := NormalizeECDSA(high, curve); err != nil || !bytes.Equal(again, low) {
				t.Errorf("high s becomes %x, %v", again, err)
			}
		})
	}
}

func TestNormalizeAtItsEdges(t *testing.T) {
	curve := elliptic.P256()
	n, one := curve.Params().N, big.NewInt(1)
	half := new(big.Int).Rsh(n, 1)
	for name, test := range map[string]struct{ s, want *big.Int }{
		"1":      {one, one},
		"half":   {half, half},
		"half+1": {new(big.Int).Add(half, one), half}, // n is odd: n-(half+1) = half
		"n-1":    {new(big.Int).Sub(n, one), one},
	} {
		if got, err := NormalizeECDSA(derPair(one, test.s), curve); err != nil || !bytes.Equal(got, derPair(one, test.want)) {
			t.Errorf("s = %s: %x, %v", name, got, err)
		}
	}
}

// A07: BER, trailing DER, negative or zero or over-long ECDSA integers.
func TestECDSAEncodingsThatAreRefused(t *testing.T) {
	curve := elliptic.P256()
	n, one, two := curve.Params().N, big.NewInt(1), big.NewInt(2)
	pub := ecKey(t, curve).Public()
	good := derPair(one, two)
	for name, sig := range map[string][]byte{
		"nothing":             {},
		"r zero":              derPair(new(big.Int), one),
		"s zero":              derPair(one, new(big.Int)),
		"r negative":          derPair(big.NewInt(-1), one),
		"s negative":          derPair(one, big.NewInt(-1)),
		"r is the order":      derPair(n, one),
		"s is the order":      derPair(one, n),
		"r over the order":    derPair(new(big.Int).Add(n, one), one),
		"r very long":         derPair(new(big.Int).Lsh(one, 4096), one),
		"zero before r":       {0x30, 7, 2, 2, 0, 1, 2, 1, 2},
		"ff before r":         {0x30, 7, 2, 2, 0xff, 0xff, 2, 1, 2},
		"empty r":             {0x30, 5, 2, 0, 2, 1, 2},
		"trailing byte":       append(bytes.Clone(good), 0),
		"trailing inside":     {0x30, 7, 2, 1, 1, 2, 1, 2, 0},
		"third integer":       {0x30, 9, 2, 1, 1, 2, 1, 2, 2, 1, 3},
		"only r":              {0x30, 3, 2, 1, 1},
		"indefinite length":   {0x30, 0x80, 2, 1, 1, 2, 1, 2, 0, 0},
		"long form of length": {0x30, 0x81, 6, 2, 1, 1, 2, 1, 2},
		"a SET":               append([]byte{0x31}, good[1:]...),
		"raw r and s":         make([]byte, 64),
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := NormalizeECDSA(sig, curve); !errors.Is(err, ErrSignature) {
				t.Errorf("became %x, %v", out, err)
			}
			if err := VerifyAnyS(pub, ECDSAP256SHA256, nil, sig); !errors.Is(err, ErrSignature) {
				t.Errorf("VerifyAnyS: %v", err)
			}
		})
	}
}

func FuzzNormalizeECDSA(f *testing.F) {
	f.Add(derPair(big.NewInt(1), big.NewInt(2)))
	f.Add(derPair(big.NewInt(1), new(big.Int).Sub(elliptic.P256().Params().N, big.NewInt(1))))
	f.Fuzz(func(t *testing.T, sig []byte) {
		low, err := NormalizeECDSA(sig, elliptic.P256())
		if err != nil {
			return
		}
		r, s, err := parseECDSA(sig)
		if err != nil || !bytes.Equal(derPair(r, s), sig) {
			t.Fatalf("accepted in a second encoding: %x", sig)
		}
		again, err := NormalizeECDSA(low, elliptic.P256())
		if err != nil || !bytes.Equal(again, low) {
			t.Fatalf("normalizing twice: %x, then %x (%v)", low, again, err)
		}
	})
}
