package verify_test

import (
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/verify"
)

// Who signed without a key counts once, if the policy has them, the manifest is
// this one, and a key of the keyring counts beside.
func TestIdentitiesCountBesideAKey(t *testing.T) {
	file := newDraft(t).file(t)
	opt := options(t, "p256")
	statement := strings.TrimPrefix(mustVerify(t, file, opt).ManifestDigest(), "sha256:")
	bob := verify.Identity{Subject: "bob@example.com", Issuer: "https://i", Statement: statement}
	opt.Policy = parsePolicy(t, "threshold = 2\n[[keyless]]\nidentity = \"bob@example.com\"\nissuer = \"https://i\"\n[[keyless]]\nidentity = \"eve@example.com\"\nissuer = \"https://i\"\n")
	mustRefuse(t, file, opt, verify.TooFewSignatures)
	opt.Identities = []verify.Identity{bob}
	if v := mustVerify(t, file, opt); len(v.Identities()) != 1 || len(v.Signers()) != 1 {
		t.Errorf("%v, %v", v.Identities(), v.Signers())
	}
	opt.Identities = []verify.Identity{bob, bob}
	opt.Threshold = 3
	mustRefuse(t, file, opt, verify.TooFewSignatures)
	eve := bob
	eve.Subject = "eve@example.com"
	opt.Identities = []verify.Identity{bob, eve}
	mustVerify(t, file, opt)
	alone := opt
	alone.Keyring = ring(t, "p384")
	mustRefuse(t, file, alone, verify.NoTrustedSigner)

	opt.Threshold = 0
	wrong := bob
	wrong.Statement = strings.Repeat("ab", 32)
	opt.Identities = []verify.Identity{bob, wrong}
	mustRefuse(t, file, opt, verify.WrongSignature)
	mallory := bob
	mallory.Issuer = "https://j"
	opt.Identities = []verify.Identity{bob, mallory}
	mustRefuse(t, file, opt, verify.IdentityForbidden)
}
