package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"
)

func TestVerifyTakesEachAlgorithmOnItsOwnKeyOnly(t *testing.T) {
	message := []byte("what is signed")
	signers := map[Algorithm]crypto.Signer{
		ECDSAP256SHA256:   ecKey(t, elliptic.P256()),
		ECDSAP384SHA384:   ecKey(t, elliptic.P384()),
		ECDSAP521SHA512:   ecKey(t, elliptic.P521()),
		RSAPKCS1v15SHA256: rsaKey(t, 2048),
		RSAPSSSHA256:      rsaKey(t, 2048),
		Ed25519:           edKey(t),
	}
	for alg, key := range signers {
		t.Run(alg.String(), func(t *testing.T) {
			sig := lowS(t, key.Public(), signFor(t, key, alg, message))
			if err := Verify(key.Public(), alg, message, sig); err != nil {
				t.Fatal(err)
			}
			if err := VerifyAnyS(key.Public(), alg, message, sig); err != nil {
				t.Fatal(err)
			}
			for _, other := range append(Algorithms(), 0, 9) {
				if other == alg {
					continue
				}
				if err := Verify(key.Public(), other, message, sig); !errors.Is(err, ErrSignature) {
					t.Errorf("as %v: %v", other, err)
				}
			}
			if err := Verify(key.Public(), alg, append(bytes.Clone(message), 0), sig); !errors.Is(err, ErrSignature) {
				t.Errorf("longer message: %v", err)
			}
			for name, bad := range map[string][]byte{"empty": {}, "short": sig[1:], "cut": sig[:len(sig)-1], "long": append(bytes.Clone(sig), 0), "zero before": append([]byte{0}, sig...)} {
				if err := Verify(key.Public(), alg, message, bad); !errors.Is(err, ErrSignature) {
					t.Errorf("%s: %v", name, err)
				}
				if err := VerifyAnyS(key.Public(), alg, message, bad); !errors.Is(err, ErrSignature) {
					t.Errorf("%s, any s: %v", name, err)
				}
			}
			for i := range sig {
				bad := bytes.Clone(sig)
				bad[i] ^= 1
				if err := Verify(key.Public(), alg, message, bad); !errors.Is(err, ErrSignature) {
					t.Fatalf("byte %d flipped: %v", i, err)
				}
			}
			for other, otherKey := range signers {
				if idOf(t, otherKey.Public()) != idOf(t, key.Public()) && Verify(otherKey.Public(), alg, message, sig) == nil {
					t.Errorf("the key of %v takes it", other)
				}
			}
		})
	}
}

func idOf(t *testing.T, pub crypto.PublicKey) ID {
	t.Helper()
	id, err := IDOf(pub)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func lowS(t *testing.T, pub crypto.PublicKey, sig []byte) []byte {
	t.Helper()
	if k, ok := pub.(*ecdsa.PublicKey); ok {
		low, err := NormalizeECDSA(sig, k.Curve)
		if err != nil {
			t.Fatal(err)
		}
		return low
	}
	return sig
}

// An algorithm that the key could run but that is another number in the seal
// must not be taken: sha256 with P-384 is such a one.
func TestVerifyBindsDigestToCurve(t *testing.T) {
	key := ecKey(t, elliptic.P384())
	digest := sha256.Sum256([]byte("m"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range Algorithms() {
		if err := VerifyAnyS(key.Public(), alg, []byte("m"), sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%v: %v", alg, err)
		}
	}
}

func TestRSAValueOverModulusIsRefused(t *testing.T) {
	key := rsaKey(t, 2048)
	// Sign until value+modulus has no more bytes than the modulus, so that only
	// the range tells the two apart.
	for _, alg := range []Algorithm{RSAPKCS1v15SHA256, RSAPSSSHA256} {
		for i := byte(0); ; i++ {
			sig := signFor(t, key, alg, []byte{i})
			sum := new(big.Int).Add(new(big.Int).SetBytes(sig), key.N)
			if sum.BitLen() > 2048 {
				continue
			}
			if err := Verify(key.Public(), alg, []byte{i}, sum.FillBytes(make([]byte, 256))); !errors.Is(err, ErrSignature) {
				t.Errorf("%v: %v", alg, err)
			}
			break
		}
	}
}

func TestPSSSaltHasOneLength(t *testing.T) {
	key := rsaKey(t, 2048)
	digest := sha256.Sum256([]byte("m"))
	for salt, good := range map[int]bool{32: true, 20: false, 31: false, 33: false, rsa.PSSSaltLengthAuto: false} {
		opts := &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256}
		sig, err := key.Sign(rand.Reader, digest[:], opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(key.Public(), RSAPSSSHA256, []byte("m"), sig); (err == nil) != good {
			t.Errorf("salt of %d bytes: %v", salt, err)
		}
	}
}

func TestEd25519SecondSIsRefused(t *testing.T) {
	key := edKey(t)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	sig := ed25519.Sign(key, []byte("m"))
	s := make([]byte, 32)
	for i := range s {
		s[31-i] = sig[32+i]
	}
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	for i := range sum {
		sig[32+i] = sum[31-i]
	}
	if err := Verify(key.Public(), Ed25519, []byte("m"), sig); !errors.Is(err, ErrSignature) {
		t.Errorf("s plus the group's order: %v", err)
	}
}
