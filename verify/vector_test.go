package verify_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// vector is a file of testdata/vectors that must be verified, as index.json
// describes it for other implementations.
type vector struct {
	Name      string   `json:"name"`
	About     string   `json:"about"`
	File      string   `json:"file"`
	Seal      string   `json:"seal,omitempty"`   // detached; file is the bare object then
	Policy    string   `json:"policy,omitempty"` // content of a policy file
	Statement string   `json:"statement"`        // the signed payload
	Envelope  string   `json:"envelope"`         // DSSE, as tbpf extract --envelope writes it
	Digest    string   `json:"digest"`           // of the object
	Signers   []string `json:"signers"`          // key ids that count
	Profiles  []string `json:"profiles"`

	draft *draft
}

// index is index.json.
type index struct {
	Keyring string   `json:"keyring"`
	Time    string   `json:"time"`
	Vectors []vector `json:"vectors"`
}

func vectors(t testing.TB) []vector {
	p256, rsa2048, ed := loadKey(t, "p256"), loadKey(t, "rsa2048"), loadKey(t, "ed25519-bare")
	minimal := bareDraft(t, ed)
	kernel := newDraft(t)
	apart := newDraft(t)
	apart.signers = []testKey{ed}
	several := newDraft(t)
	several.signers = []testKey{p256, rsa2048, ed, loadKey(t, "p256-other")}
	several.embed = func(k testKey) bool { return k.cert != nil && !k.cert.Equal(loadKey(t, "p256-other").cert) }
	out := []vector{
		{Name: "minimal", About: "one Ed25519 key without certificate, one profile, no kernel signature", draft: minimal},
		{Name: "detached", About: "the same with a detached seal", Seal: "detached.seal", draft: minimal},
		{Name: "kernel", About: "one P-256 key with certificate for statement and kernel, all profiles", draft: kernel},
		{Name: "kernel-apart", About: "statement by Ed25519, kernel signatures by P-256: the certificate has its own record", draft: apart},
		{Name: "countersigned", About: "the first signer's kernel signatures replaced by the second countersigner's, threshold 3", Policy: "threshold = 3\n", draft: promoted(t)},
		{Name: "countersigned-apart", About: "statement by Ed25519; countersigners with certificate, outside the keyring with a bare key, and for the kernel signatures of another key; two certificates have records of their own", draft: fullest(t)},
		{Name: "several", About: "three trusted signers and one outside the keyring, threshold 3", Policy: "threshold = 3\n", draft: several},
	}
	for _, name := range []string{"p384", "p521", "rsa2048"} {
		d, k := newDraft(t), loadKey(t, name)
		d.signers, d.kernel = []testKey{k}, &k
		out = append(out, vector{Name: "kernel-" + name, About: "as kernel, with a key " + name, draft: d})
	}
	for i := range out {
		v := &out[i]
		v.File = v.Name + ".tbpf"
		if v.Seal != "" {
			v.File = v.Name + ".o"
		}
		v.Statement, v.Envelope = v.Name+".statement.json", v.Name+".envelope.json"
		v.Digest = "sha256:" + digest(v.draft.object)
		for _, p := range v.draft.profiles {
			v.Profiles = append(v.Profiles, p.String())
		}
		for _, k := range v.draft.signers {
			if k.id(t) != loadKey(t, "p256-other").id(t) {
				v.Signers = append(v.Signers, k.id(t).String())
			}
		}
		for _, c := range v.draft.counter {
			if c.key.id(t) != loadKey(t, "p256-other").id(t) {
				v.Signers = append(v.Signers, c.key.id(t).String())
			}
		}
		slices.Sort(v.Signers)
	}
	return out
}

// files returns what testdata/vectors has of a vector.
func (v *vector) files(t testing.TB) map[string][]byte {
	t.Helper()
	s := v.draft.seal(t)
	encoded, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{v.Statement: s.Payload, v.Envelope: envelopeOf(t, encoded)}
	if v.Seal != "" {
		out[v.File], out[v.Seal] = v.draft.object, encoded
	} else {
		out[v.File] = seal.Join(v.draft.object, encoded)
	}
	return out
}

func envelopeOf(t testing.TB, encoded []byte) []byte {
	t.Helper()
	s, err := seal.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	e := dsse.Envelope{PayloadType: manifest.PayloadType, Payload: s.Payload}
	for _, g := range s.Signatures {
		e.Signatures = append(e.Signatures, dsse.Signature{Value: g.Value})
	}
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readVector(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectorDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The same content gives the same bytes: what is committed is what is made now.
func TestVectorsAreMadeAgain(t *testing.T) {
	list := vectors(t)
	want := make(map[string][]byte)
	for i := range list {
		for name, data := range list[i].files(t) {
			want[name] = data
		}
	}
	head := index{Keyring: "keyring", Time: now().Format("2006-01-02T15:04:05Z"), Vectors: list}
	b, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want["index.json"] = append(b, '\n')
	for name, data := range want {
		path := filepath.Join(vectorDir, name)
		if *update {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s is not what is made now (%v): go test ./verify -update", name, err)
		}
	}
}

func TestCommittedVectorsVerify(t *testing.T) {
	var head index
	if err := json.Unmarshal(readVector(t, "index.json"), &head); err != nil {
		t.Fatal(err)
	}
	if len(head.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	ring, err := keys.LoadKeyring([]string{filepath.Join(vectorDir, head.Keyring)})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range head.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			opt := verify.Options{Keyring: ring, Now: now()}
			if v.Seal != "" {
				opt.Seal = readVector(t, v.Seal)
			}
			if opt.Policy, err = policy.Parse([]byte(v.Policy)); err != nil {
				t.Fatal(err)
			}
			got := mustVerify(t, readVector(t, v.File), opt)
			var signers, profiles []string
			for _, s := range got.Signers() {
				signers = append(signers, s.KeyID.String())
			}
			for _, p := range got.Profiles() {
				profiles = append(profiles, p.String())
			}
			if got.Digest() != v.Digest || !slices.Equal(signers, v.Signers) || !slices.Equal(profiles, v.Profiles) {
				t.Errorf("digest %s, signers %v, profiles %v", got.Digest(), signers, profiles)
			}
			if e, err := dsse.Parse(readVector(t, v.Envelope)); err != nil || !bytes.Equal(e.Payload, readVector(t, v.Statement)) {
				t.Errorf("envelope: %v", err)
			}
			m, err := manifest.Decode(readVector(t, v.Statement))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range m.Profiles {
				number, err := bpfabi.ParseProfile(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				if insns, _, ok := got.Loader(number); !ok || digest(insns) != p.Loader.SHA256 {
					t.Errorf("loader of profile %s", p.Name)
				}
			}
		})
	}
}
