package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
)

// odd returns an odd number of this many bits: a modulus as far as sizes go.
func odd(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.SetBit(n, 0, 1)
}

func TestIDIsDigestOfSubjectPublicKeyInfo(t *testing.T) {
	for _, key := range []crypto.Signer{ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521()), rsaKey(t, 2048), rsaKey(t, 3072), edKey(t)} {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		id, err := IDOf(key.Public())
		if err != nil || id != sha256.Sum256(der) {
			t.Errorf("%T: %v, %v", key, id, err)
		}
		if want := hex.EncodeToString(id[:]); id.String() != want {
			t.Errorf("String() = %s", id)
		}
		back, err := ParsePublic(der)
		if err != nil || !back.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
			t.Errorf("%T does not come back: %v", key, err)
		}
		if _, err := ParsePublic(append(bytes.Clone(der), 0)); err == nil {
			t.Errorf("%T: trailing byte accepted", key)
		}
	}
}

// A11: one key under two ids. Go's parser takes a key whose parameters are
// encoded in a second way; an ID made of such bytes would be another one.
func TestSecondEncodingOfKeyIsRefused(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	for name, variant := range secondEncodings(t, key.Public().(*ecdsa.PublicKey)) {
		if pub, err := ParsePublic(variant); err == nil {
			t.Errorf("%s: accepted as %T", name, pub)
		}
	}
}

// secondEncodings returns other bytes for one key.
func secondEncodings(t *testing.T, pub *ecdsa.PublicKey) map[string][]byte {
	t.Helper()
	type algorithm struct{ OID, Curve asn1.ObjectIdentifier }
	type spki struct {
		Algorithm algorithm
		Key       asn1.BitString
	}
	point, err := pub.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := func(key asn1.BitString) []byte {
		der, err := asn1.Marshal(spki{algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}}, key})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	good := encode(asn1.BitString{Bytes: point, BitLength: 8 * len(point)})
	if _, err := ParsePublic(good); err != nil {
		t.Fatalf("the encoding that the others vary is refused: %v", err)
	}
	// The same 65 bytes, moved up by one bit and with one unused bit at the
	// end: Go's parser moves them down again.
	shifted := new(big.Int).Lsh(new(big.Int).SetBytes(point), 1).FillBytes(make([]byte, len(point)+1))
	if shifted[0] == 0 {
		shifted = shifted[1:]
	}
	return map[string][]byte{
		"compressed point": encode(asn1.BitString{Bytes: append([]byte{2 | point[64]&1}, point[1:33]...), BitLength: 8 * 33}),
		"unused bits":      encode(asn1.BitString{Bytes: shifted, BitLength: 8*len(shifted) - 1}),
		"long length":      longLength(good),
	}
}

// longLength writes the outermost length with one byte more than DER allows.
func longLength(der []byte) []byte {
	return append([]byte{der[0], 0x81, der[1]}, der[2:]...)
}

func TestWeakAndBrokenKeysAreRefused(t *testing.T) {
	good := rsaKey(t, 2048)
	rsaWith := func(change func(*rsa.PublicKey)) crypto.PublicKey {
		pub := rsa.PublicKey{N: new(big.Int).Set(good.N), E: good.E}
		change(&pub)
		return &pub
	}
	p := ecKey(t, elliptic.P256()).Public().(*ecdsa.PublicKey)
	offCurve := *p
	//lint:ignore SA1019 a key that no parser makes is what is wanted
	offCurve.X = new(big.Int).Add(p.X, big.NewInt(1))
	for name, test := range map[string]struct {
		pub  crypto.PublicKey
		want KeyReason
	}{
		"RSA 2047":          {rsaWith(func(k *rsa.PublicKey) { k.N = odd(2047) }), KeyWeak},
		"RSA 1024":          {rsaWith(func(k *rsa.PublicKey) { k.N = odd(1024) }), KeyWeak},
		"RSA 8193":          {rsaWith(func(k *rsa.PublicKey) { k.N = odd(8193) }), KeyWeak},
		"exponent 1":        {rsaWith(func(k *rsa.PublicKey) { k.E = 1 }), KeyWeak},
		"exponent 3":        {rsaWith(func(k *rsa.PublicKey) { k.E = 3 }), KeyWeak},
		"exponent 65535":    {rsaWith(func(k *rsa.PublicKey) { k.E = 65535 }), KeyWeak},
		"even exponent":     {rsaWith(func(k *rsa.PublicKey) { k.E = 65538 }), KeyWeak},
		"negative exponent": {rsaWith(func(k *rsa.PublicKey) { k.E = -65537 }), KeyWeak},
		"even modulus":      {rsaWith(func(k *rsa.PublicKey) { k.N.SetBit(k.N, 0, 0) }), KeyMalformed},
		"negative modulus":  {rsaWith(func(k *rsa.PublicKey) { k.N.Neg(k.N) }), KeyMalformed},
		"no modulus":        {rsaWith(func(k *rsa.PublicKey) { k.N = nil }), KeyMalformed},
		"no RSA key":        {(*rsa.PublicKey)(nil), KeyMalformed},
		"P-224":             {ecKey(t, elliptic.P224()).Public(), KeyUnsupported},
		"no curve":          {&ecdsa.PublicKey{}, KeyMalformed},
		"no ECDSA key":      {(*ecdsa.PublicKey)(nil), KeyMalformed},
		"off the curve":     {&offCurve, KeyMalformed},
		"short Ed25519":     {ed25519.PublicKey(make([]byte, 31)), KeyMalformed},
		"no key":            {nil, KeyUnsupported},
		"a private key":     {good, KeyUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			var keyErr *KeyError
			if err := CheckPublic(test.pub); !errors.As(err, &keyErr) || keyErr.Reason != test.want {
				t.Errorf("CheckPublic: %v, want %s", err, test.want)
			}
			if id, err := IDOf(test.pub); err == nil {
				t.Errorf("it has the ID %v", id)
			}
			if key, err := TrustKey(test.pub, "here"); err == nil {
				t.Errorf("it is trusted as %v", key.ID)
			}
			if err := VerifyAnyS(test.pub, ECDSAP256SHA256, nil, derPair(big.NewInt(1), big.NewInt(1))); err == nil || errors.Is(err, ErrSignature) {
				t.Errorf("VerifyAnyS: %v, want a KeyError", err)
			}
			if err := Verify(test.pub, RSAPKCS1v15SHA256, nil, make([]byte, 256)); err == nil || errors.Is(err, ErrSignature) {
				t.Errorf("Verify: %v, want a KeyError", err)
			}
		})
	}
	if err := CheckPublic(rsaWith(func(k *rsa.PublicKey) { k.N = odd(8192); k.E = 65539 })); err != nil {
		t.Errorf("RSA 8192 with another odd exponent: %v", err)
	}
	if der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: odd(1024), E: 65537}); err != nil {
		t.Fatal(err)
	} else if _, err := ParsePublic(der); err == nil {
		t.Error("ParsePublic takes RSA 1024")
	}
}

// RFC 8032 section 5.1: under a point of small order one signature fits many
// messages, and crypto/ed25519 does not mind.
func TestEd25519SmallOrderIsRefused(t *testing.T) {
	for _, y := range smallOrderY() {
		for _, sign := range []byte{0, 0x80} {
			key, err := hex.DecodeString(y)
			if err != nil {
				t.Fatal(err)
			}
			key[31] |= sign
			var keyErr *KeyError
			if err := CheckPublic(ed25519.PublicKey(key)); !errors.As(err, &keyErr) || keyErr.Reason != KeyWeak {
				t.Errorf("%x: %v", key, err)
			}
		}
	}
	// That it matters: the neutral element takes this for any message.
	neutral, sig := make([]byte, 32), make([]byte, 64)
	neutral[0], sig[0] = 1, 1
	if !ed25519.Verify(neutral, []byte("anything"), sig) {
		t.Error("crypto/ed25519 refuses small order by itself now")
	}
	if err := Verify(ed25519.PublicKey(neutral), Ed25519, []byte("anything"), sig); err == nil {
		t.Error("Verify takes it")
	}
}

func TestEd25519SecondEncodingIsRefused(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	little := func(n *big.Int) ed25519.PublicKey {
		b := n.FillBytes(make([]byte, 32))
		for i, j := 0, 31; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		return b
	}
	for d := int64(0); d < 19; d++ { // y and y+p both fit in 255 bits
		var keyErr *KeyError
		if err := CheckPublic(little(new(big.Int).Add(p, big.NewInt(d)))); !errors.As(err, &keyErr) || keyErr.Reason != KeyMalformed {
			t.Errorf("p+%d: %v", d, err)
		}
	}
	for _, d := range []int64{2, 18, 1000} {
		if err := CheckPublic(little(new(big.Int).Sub(p, big.NewInt(d)))); err != nil {
			t.Errorf("p-%d: %v", d, err)
		}
	}
	top := little(new(big.Int).Sub(p, new(big.Int).Lsh(big.NewInt(1), 250))) // all bytes but the top one as of p
	if err := CheckPublic(top); err != nil {
		t.Errorf("p-2^250: %v", err)
	}
	high := little(new(big.Int).Sub(p, new(big.Int).Lsh(big.NewInt(1), 100))) // top and bottom bytes as of p
	if err := CheckPublic(high); err != nil {
		t.Errorf("p-2^100: %v", err)
	}
}
