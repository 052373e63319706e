package keys

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"testing"
)

func TestAlgorithmNumbersAndNamesAreStable(t *testing.T) {
	names := []string{"ecdsa-p256-sha256", "ecdsa-p384-sha384", "ecdsa-p521-sha512", "rsa-pkcs1v15-sha256", "rsa-pss-sha256", "ed25519", "ml-dsa-65", "ml-dsa-87"}
	hashes := []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA256, crypto.SHA256, 0, 0, 0}
	for i, want := range names {
		alg := Algorithm(i + 1)
		if Algorithms()[i] != alg || alg.String() != want || alg.Hash() != hashes[i] {
			t.Errorf("algorithm %d is %v with %v, want %s with %v", i+1, alg, alg.Hash(), want, hashes[i])
		}
		if got, err := ParseAlgorithm(want); err != nil || got != alg {
			t.Errorf("ParseAlgorithm(%q) = %v, %v", want, got, err)
		}
	}
	for _, name := range []string{"", "ED25519", "algorithm(0)", "algorithm(9)", "ml-dsa-44", "ML-DSA-65", "rsa", "ed25519 "} {
		if got, err := ParseAlgorithm(name); err == nil {
			t.Errorf("ParseAlgorithm(%q) = %v", name, got)
		}
	}
	for _, alg := range []Algorithm{0, 9, 255} {
		if alg.Hash() != 0 {
			t.Errorf("%v has a digest", alg)
		}
	}
}

func TestAlgorithmForEachKey(t *testing.T) {
	for want, key := range map[Algorithm]crypto.Signer{
		ECDSAP256SHA256:   ecKey(t, elliptic.P256()),
		ECDSAP384SHA384:   ecKey(t, elliptic.P384()),
		ECDSAP521SHA512:   ecKey(t, elliptic.P521()),
		RSAPKCS1v15SHA256: rsaKey(t, 2048),
		Ed25519:           edKey(t),
	} {
		if got, err := AlgorithmFor(key.Public()); err != nil || got != want {
			t.Errorf("%v: got %v, %v", want, got, err)
		}
	}
	if alg, err := AlgorithmFor(ecKey(t, elliptic.P224()).Public()); err == nil {
		t.Errorf("P-224 signs with %v", alg)
	}
}

func TestKernelTakesNoEd25519AndNoHugeRSA(t *testing.T) {
	huge := rsa.PublicKey{N: odd(4097), E: 65537}
	for name, pub := range map[string]crypto.PublicKey{"Ed25519": edKey(t).Public(), "RSA-4097": &huge} {
		var keyErr *KeyError
		if err := KernelKey(pub); !errors.As(err, &keyErr) || keyErr.Reason != KeyNotForKernel {
			t.Errorf("%s: %v", name, err)
		}
		if err := CheckPublic(pub); err != nil {
			t.Errorf("%s is good for manifests: %v", name, err)
		}
	}
	huge.N = odd(4096)
	if err := KernelKey(&huge); err != nil {
		t.Errorf("RSA-4096: %v", err)
	}
	var keyErr *KeyError
	if err := KernelKey(ecKey(t, elliptic.P224()).Public()); !errors.As(err, &keyErr) || keyErr.Reason != KeyUnsupported {
		t.Errorf("P-224: %v", err)
	}
}
