package verify_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// cosign v3.1.3 made the envelope, with a key by `cosign generate-key-pair`:
//
//	cosign attest-blob --key cosign.key --statement minimal.statement.json --tlog-upload=false \
//	    --new-bundle-format=false --use-signing-config=false --output-signature cosign/minimal.envelope.json
//
// Its signature stands in a seal like any other, once s is the lower one.
func TestAnAttestationByCosignVerifies(t *testing.T) {
	e, err := dsse.Parse(readVector(t, "cosign/minimal.envelope.json"))
	if err != nil {
		t.Fatal(err)
	}
	d := bareDraft(t, loadKey(t, "ed25519-bare"))
	s := d.seal(t)
	if e.PayloadType != manifest.PayloadType || !bytes.Equal(e.Payload, s.Payload) || len(e.Signatures) != 1 {
		t.Fatalf("an envelope of something else: %q", e.PayloadType)
	}
	block, _ := pem.Decode(readVector(t, "cosign/cosign.pub"))
	if block == nil {
		t.Fatal("no key")
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := keys.TrustKey(pub, "cosign")
	if err != nil {
		t.Fatal(err)
	}
	value, err := keys.NormalizeECDSA(e.Signatures[0].Value, pub.(*ecdsa.PublicKey).Curve)
	if err != nil {
		t.Fatal(err)
	}
	s.Signatures = []seal.Signature{{KeyID: trusted.ID, Algorithm: keys.ECDSAP256SHA256, PublicKey: block.Bytes, Value: value}}
	v := mustVerify(t, join(t, d.object, s), verify.Options{Keyring: keys.NewKeyring(trusted), Now: now()})
	if len(v.Signers()) != 1 || v.Signers()[0].KeyID != trusted.ID {
		t.Errorf("signers %v", v.Signers())
	}
}
