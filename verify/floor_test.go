package verify_test

import (
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// An older version is refused after a newer one, for each signer by its own
// floor, before policy and after everything that is wrong with the file (A19).
func TestOlderVersionsAreRefused(t *testing.T) {
	p256, rsa := loadKey(t, "p256"), loadKey(t, "rsa2048")
	file := bareDraft(t, p256, rsa).file(t)
	m := mustVerify(t, file, options(t, "p256", "rsa2048")).Manifest()
	if m.Version == 0 {
		t.Fatal("the draft has no version")
	}
	with := func(signer testKey, version uint64) *floor.State {
		s := &floor.State{}
		s.Raise(m.Name, []keys.ID{signer.id(t)}, version)
		return s
	}
	opt := options(t, "p256", "rsa2048")
	for _, ok := range []*floor.State{{}, with(p256, m.Version), with(loadKey(t, "p384"), m.Version+7)} {
		opt.Floor = ok
		mustVerify(t, file, opt)
	}
	for _, signer := range []testKey{p256, rsa} {
		opt.Floor = with(signer, m.Version+1)
		if e := mustRefuse(t, file, opt, verify.OlderVersion); !strings.Contains(e.Error(), m.Name) {
			t.Errorf("%v", e)
		}
	}
	// A signer whose signature does not count has no floor that counts.
	opt.Keyring = ring(t, "p256")
	mustVerify(t, file, opt)

	none, err := policy.Parse([]byte("program-types = []\n"))
	if err != nil {
		t.Fatal(err)
	}
	opt.Floor, opt.Policy = with(p256, m.Version+1), none
	mustRefuse(t, file, opt, verify.OlderVersion)
	opt.Threshold = 2
	mustRefuse(t, file, opt, verify.TooFewSignatures)
}

func TestTheManifestHasADigest(t *testing.T) {
	one := mustVerify(t, newDraft(t).file(t), options(t, "p256")).ManifestDigest()
	d := newDraft(t)
	d.manifest.Annotations["git.revision"] = "another"
	if other := mustVerify(t, d.file(t), options(t, "p256")).ManifestDigest(); other == one {
		t.Error("another manifest has the same digest")
	}
	if !strings.HasPrefix(one, "sha256:") || len(one) != len("sha256:")+64 {
		t.Errorf("%q", one)
	}
	if got := new(verify.Verified).ManifestDigest(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
