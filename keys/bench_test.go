package keys

import (
	"crypto"
	"crypto/elliptic"
	"path/filepath"
	"testing"
)

// What verify does per signature. The command must not be slower as a whole
// process than openssl's.
func BenchmarkVerify(b *testing.B) {
	for name, key := range map[string]crypto.Signer{
		"p256":    ecKey(b, elliptic.P256()),
		"p384":    ecKey(b, elliptic.P384()),
		"p521":    ecKey(b, elliptic.P521()),
		"rsa2048": rsaKey(b, 2048),
		"ed25519": edKey(b),
	} {
		alg, err := AlgorithmFor(key.Public())
		if err != nil {
			b.Fatal(err)
		}
		sig := signFor(b, key, alg, []byte("m"))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := VerifyAnyS(key.Public(), alg, []byte("m"), sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoadKeyring(b *testing.B) {
	dir := b.TempDir()
	put(b, dir, map[string][]byte{"a.crt": certPEM(certificate(b, ecKey(b, elliptic.P256()), nil))})
	for b.Loop() {
		if _, err := LoadKeyring([]string{filepath.Join(dir, "a.crt")}); err != nil {
			b.Fatal(err)
		}
	}
}
