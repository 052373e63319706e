package interop

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/trustedbpf/tbpf/keys"
)

// cosignKey is what cosign gives the library that checks envelopes for it: a
// key without a name (sigstore v1.10.11, pkg/signature/dsse/dsse.go,
// WrapVerifier). The library then makes a name up, and passes over signatures
// that say another.
type cosignKey struct {
	public    crypto.PublicKey
	algorithm keys.Algorithm
}

func (k cosignKey) Verify(_ context.Context, message, sig []byte) error {
	return keys.VerifyAnyS(k.public, k.algorithm, message, sig)
}

func (k cosignKey) KeyID() (string, error) { return "", nil }

func (k cosignKey) Public() crypto.PublicKey { return k.public }

// What `tbpf extract --envelope` writes is verified by the library that
// `cosign verify-blob-attestation` uses.
func TestCosignsLibraryVerifiesTheEnvelope(t *testing.T) {
	const vectors = "../../testdata/vectors"
	for _, c := range []struct{ vector, key string }{
		{"minimal", "ed25519-bare"},
		{"kernel", "p256"},
		{"kernel-apart", "ed25519-bare"},
		{"kernel-p384", "p384"},
		{"kernel-p521", "p521"},
		{"kernel-rsa2048", "rsa2048"},
		{"several", "p256"},
		{"several", "rsa2048"},
		{"several", "ed25519-bare"},
	} {
		t.Run(c.vector+"/"+c.key, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(vectors, c.vector+".envelope.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := verifyEnvelope(t, data, filepath.Join(vectors, "keys", c.key+".pub")); err != nil {
				t.Error(err)
			}
			if verifyEnvelope(t, data, filepath.Join(vectors, "keys", "p256-future.pub")) == nil {
				t.Error("verified with a key that did not sign")
			}
		})
	}
}

func verifyEnvelope(t *testing.T, data []byte, path string) error {
	t.Helper()
	var e dsse.Envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	key := cosignKey{public: publicKey(t, path)}
	var err error
	if key.algorithm, err = keys.AlgorithmFor(key.public); err != nil {
		t.Fatal(err)
	}
	v, err := dsse.NewEnvelopeVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(t.Context(), &e)
	return err
}

func publicKey(t *testing.T, path string) crypto.PublicKey {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is no PEM", path)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
