package verify_test

import (
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/keys"
)

func TestVerifiesWhatWasSigned(t *testing.T) {
	d := newDraft(t)
	file := d.file(t)
	v := mustVerify(t, file, options(t, "p256"))
	if got := v.Manifest(); got.Name != "count" || got.Version != 7 {
		t.Errorf("manifest %q version %d", got.Name, got.Version)
	}
	if string(v.Object()) != string(d.object) || &v.Object()[0] != &file[0] {
		t.Error("the object is not the file's own bytes")
	}
	if v.Digest() != "sha256:"+digest(d.object) {
		t.Errorf("digest %s", v.Digest())
	}
	if string(v.Metadata()) != string(d.metadata) {
		t.Error("metadata differs")
	}
	for _, p := range bpfabi.Profiles() {
		insns, sig, ok := v.Loader(p)
		if !ok || string(insns) != string(d.loaders[p]) || len(sig) == 0 {
			t.Errorf("profile %v: ok %v, %d bytes, signature of %d", p, ok, len(insns), len(sig))
		}
	}
	if s := v.Signers(); len(s) != 1 || s[0].KeyID != d.signers[0].id(t) || s[0].Subject != "CN=tbpf test key p256" || s[0].Algorithm != keys.ECDSAP256SHA256 {
		t.Errorf("signers %v", s)
	}
	if c := v.KernelCertificate(); c == nil || !c.Equal(d.kernel.cert) {
		t.Error("not the kernel signer's certificate")
	}
	if n := v.Notices(); len(n) != 0 {
		t.Errorf("notices %q", n)
	}
}

func TestEveryAlgorithmVerifies(t *testing.T) {
	for _, name := range []string{"ed25519-bare", "p256", "p384", "p521", "rsa2048"} {
		t.Run(name, func(t *testing.T) {
			k := loadKey(t, name)
			d := bareDraft(t, k)
			if k.cert != nil {
				d.kernel = &k
			}
			mustVerify(t, d.file(t), options(t, name))
			if name == "rsa2048" {
				d.algorithm = func(testKey) keys.Algorithm { return keys.RSAPSSSHA256 }
				mustVerify(t, d.file(t), options(t, name))
			}
		})
	}
}
