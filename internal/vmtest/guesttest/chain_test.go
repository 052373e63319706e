//go:build vmguest

package guesttest

import (
	"crypto/x509"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/cms"
)

// With nothing but the CA in its keyring the kernel takes signatures that carry
// the signer's certificate and those of the CAs between, and none without.
func TestKernelFollowsCertificatesToACA(t *testing.T) {
	profile, ok := profiles[kernel(t)]
	if !ok {
		testKernelKnowsNoSignatures(t)
		return
	}
	root, strangers := newKeyring(t, "keys/root.crt"), newKeyring(t, "keys/stranger.crt")
	for name, signer := range map[string]string{"carried": "keys/issued.crt", "carried-far": "keys/member.crt"} {
		leaf := newKeyring(t, signer)
		a := loaderOf(t, name, profile)
		for about, c := range map[string]struct {
			keyring int32
			want    refusal
		}{
			"the CA":                      {root, refusal{}},
			"the signer":                  {leaf, refusal{}},
			"somebody else":               {strangers, refusal{"load", unix.ENOKEY}},
			"a system keyring without":    {1, refusal{"load", unix.ENOKEY}},
			"no keyring with that serial": {0x7ffffff0, refusal{"load", unix.EINVAL}},
		} {
			a.keyring = c.keyring
			if got := a.make(t); got != c.want {
				t.Errorf("%s, keyring of %s: refused by %q with %v, want %q with %v", name, about, got.stage, got.errno, c.want.stage, c.want.errno)
			}
		}
		// Without the certificates the CA is nothing to the kernel, and what is
		// signed counts as it did.
		signed, err := cms.Parse(a.signature)
		if err != nil {
			t.Fatal(err)
		}
		bare := a
		bare.keyring, bare.signature = root, withoutCertificates(t, signer, signed)
		if got := bare.make(t); got != (refusal{"load", unix.ENOKEY}) {
			t.Errorf("%s without certificates: refused by %q with %v", name, got.stage, got.errno)
		}
		flipped := a
		flipped.keyring, flipped.instructions = root, slices.Clone(a.instructions)
		flip(flipped.instructions, 4)
		if got := flipped.make(t); got != (refusal{"load", unix.EKEYREJECTED}) {
			t.Errorf("%s with a flipped bit: refused by %q with %v", name, got.stage, got.errno)
		}
	}
}

func withoutCertificates(t *testing.T, signer string, signed *cms.SignedData) []byte {
	t.Helper()
	cert, err := x509.ParseCertificate(certificate(t, signer))
	if err != nil {
		t.Fatal(err)
	}
	der, err := cms.Encode(cert, signed.Signature)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
