package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// aList is a revocation list in the making, in date now().
func aList(change func(*revocation.List)) *revocation.List {
	l := &revocation.List{Name: "fleet", Serial: 5, Issued: now().AddDate(0, -1, 0), Expires: now().AddDate(1, 0, 0)}
	if change != nil {
		change(l)
	}
	return l
}

// listFile signs a list.
func listFile(t testing.TB, l *revocation.List, signers ...testKey) verify.RevocationFile {
	t.Helper()
	payload, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	f := &revocation.File{Payload: payload}
	for _, k := range signers {
		alg, err := keys.AlgorithmFor(k.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		f.Signatures = append(f.Signatures, revocation.Signature{KeyID: k.id(t), Value: sign(t, k.private, alg, f.Message())})
	}
	data, err := f.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return verify.RevocationFile{Path: l.Name + ".revoked", Data: data}
}

// withLists are options with lists that were read with them.
func withLists(opt verify.Options, files ...verify.RevocationFile) verify.Options {
	opt.Revocations = verify.ReadRevocations(files, opt)
	return opt
}

func parsePolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What a list says is refused with 14: a key, the object, its manifest, its
// version (A20; the kernel has no such thing, and of bpftool's peers none).
func TestWhatIsRevokedIsRefused(t *testing.T) {
	p256, root := loadKey(t, "p256"), loadKey(t, "p384")
	file := newDraft(t).file(t)
	opt := options(t, "p256", "p384")
	v := mustVerify(t, file, withLists(opt, listFile(t, aList(nil), root)))
	for _, c := range []struct {
		about  string
		change func(*revocation.List)
		want   verify.Reason
	}{
		{"the key", func(l *revocation.List) { l.Keys = []string{p256.id(t).String()} }, verify.KeyRevoked},
		{"the object", func(l *revocation.List) { l.Digests = []string{strings.TrimPrefix(v.Digest(), "sha256:")} }, verify.ObjectRevoked},
		{"the manifest", func(l *revocation.List) { l.Digests = []string{strings.TrimPrefix(v.ManifestDigest(), "sha256:")} }, verify.ObjectRevoked},
		{"the version", func(l *revocation.List) { l.Names = []revocation.Version{{Name: "count", Below: 8}} }, verify.VersionRevoked},
	} {
		t.Run(c.about, func(t *testing.T) {
			e := mustRefuse(t, file, withLists(opt, listFile(t, aList(c.change), root)), c.want)
			if e.ExitCode() != 14 || e.Verdict() != "revoked" {
				t.Errorf("%s, %d", e.Verdict(), e.ExitCode())
			}
			// An expired list says the same: what is revoked stays revoked.
			late := opt
			late.Now = now().AddDate(2, 0, 0)
			late.Policy = parsePolicy(t, `validity = "ignore"`)
			mustRefuse(t, file, withLists(late, listFile(t, aList(c.change), root)), c.want)
		})
	}
	// What others do is nothing to this object.
	mustVerify(t, file, withLists(opt, listFile(t, aList(func(l *revocation.List) {
		l.Keys = []string{loadKey(t, "p521").id(t).String()}
		l.Digests = []string{strings.Repeat("ab", 32)}
		l.Names = []revocation.Version{{Name: "count", Below: 7}, {Name: "guard", Below: 99}}
	}), root)))
}

// Of two signers one is revoked: with a threshold of one the other is enough,
// with two it is 14, and every reason is told.
func TestARevokedSignerDoesNotCount(t *testing.T) {
	p256, root := loadKey(t, "p256"), loadKey(t, "p384")
	list := listFile(t, aList(func(l *revocation.List) { l.Keys = []string{p256.id(t).String()} }), root, loadKey(t, "rsa2048"))
	opt := options(t, "p256", "p256-expired", "rsa2048", "p384")
	two := bareDraft(t, p256, loadKey(t, "rsa2048")).file(t)
	if v := mustVerify(t, two, withLists(opt, list)); len(v.Signers()) != 1 || !strings.Contains(strings.Join(v.Notices(), "\n"), "is revoked") {
		t.Errorf("%v, %q", v.Signers(), v.Notices())
	}
	opt.Threshold = 2
	mustRefuse(t, two, withLists(opt, list), verify.KeyRevoked)
	e := mustRefuse(t, bareDraft(t, p256, loadKey(t, "p256-expired")).file(t), withLists(opt, list), verify.TooFewSignatures)
	if !strings.Contains(e.Error(), "revoked") || !strings.Contains(e.Error(), "expired") {
		t.Errorf("not every reason: %v", e)
	}
	// The third signs: two are left.
	mustVerify(t, bareDraft(t, p256, loadKey(t, "rsa2048"), root).file(t), withLists(opt, list))
}

// Whoever signed the manifest: a revoked key's kernel signatures are not used.
func TestARevokedKernelSignerIsRefused(t *testing.T) {
	d := newDraft(t)
	d.signers = []testKey{loadKey(t, "ed25519-bare")}
	p256 := loadKey(t, "p256")
	opt := options(t, "ed25519-bare", "p384")
	mustVerify(t, d.file(t), opt)
	list := listFile(t, aList(func(l *revocation.List) { l.Keys = []string{p256.id(t).String()} }), loadKey(t, "p384"))
	mustRefuse(t, d.file(t), withLists(opt, list), verify.KeyRevoked)
}

// A list that cannot be relied on refuses everything (A20).
func TestListsThatCannotBeReliedOn(t *testing.T) {
	p256, p384, rsa := loadKey(t, "p256"), loadKey(t, "p384"), loadKey(t, "rsa2048")
	file := bareDraft(t, p256, rsa).file(t)
	opt := options(t, "p256", "p384", "rsa2048", "p256-expired")
	good := listFile(t, aList(nil), p384)
	revokes := func(name string, k, by testKey) verify.RevocationFile {
		return listFile(t, aList(func(l *revocation.List) { l.Name, l.Keys = name, []string{k.id(t).String()} }), by)
	}
	changed := func(from, to string) verify.RevocationFile {
		return verify.RevocationFile{Path: "x", Data: []byte(strings.Replace(string(good.Data), from, to, 1))}
	}
	e, err := dsse.Parse(good.Data)
	if err != nil {
		t.Fatal(err)
	}
	e.Payload[len(e.Payload)-2] = ' '
	forged, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		about string
		opt   verify.Options
		files []verify.RevocationFile
		want  verify.Reason
	}{
		{"no list", opt, []verify.RevocationFile{{Path: "x", Data: []byte("{}")}}, verify.RevocationRefused},
		{"an empty file", opt, []verify.RevocationFile{{Path: "x"}}, verify.RevocationRefused},
		{"a changed payload", opt, []verify.RevocationFile{{Path: "x", Data: forged}}, verify.RevocationRefused},
		{"another payload type", opt, []verify.RevocationFile{changed("revocations+json", "revocation+json")}, verify.RevocationRefused},
		{"a foreign signer", opt, []verify.RevocationFile{listFile(t, aList(nil), loadKey(t, "p256-other"))}, verify.RevocationRefused},
		{"an expired signer", opt, []verify.RevocationFile{listFile(t, aList(nil), loadKey(t, "p256-expired"))}, verify.RevocationRefused},
		{"signed by the key that it revokes", opt, []verify.RevocationFile{revokes("fleet", p384, p384)}, verify.RevocationRefused},
		{"signed by a key that another list revokes", opt, []verify.RevocationFile{revokes("a", p384, rsa), revokes("b", p256, p384)}, verify.RevocationRefused},
		{"one list twice", opt, []verify.RevocationFile{good, good}, verify.RevocationRefused},
		{"a good one beside a bad one", opt, []verify.RevocationFile{good, {Path: "x", Data: []byte("{}")}}, verify.RevocationRefused},
		{"fewer signatures than objects need", func() verify.Options { o := opt; o.Threshold = 2; return o }(), []verify.RevocationFile{good}, verify.RevocationRefused},
		{"a signer that the policy does not name", func() verify.Options {
			o := opt
			o.Policy = parsePolicy(t, "[revocation]\nsigners = [\""+rsa.id(t).String()+"\"]\n")
			return o
		}(), []verify.RevocationFile{good}, verify.RevocationRefused},
		{"an algorithm that the policy forbids", func() verify.Options {
			o := opt
			o.Policy = parsePolicy(t, "algorithms = [\"ecdsa-p256-sha256\", \"rsa-pkcs1v15-sha256\"]\n")
			return o
		}(), []verify.RevocationFile{good}, verify.RevocationRefused},
		{"required and absent", func() verify.Options {
			o := opt
			o.Policy = parsePolicy(t, "[revocation]\nrequired = true\n")
			return o
		}(), nil, verify.RevocationMissing},
		{"required and expired", func() verify.Options {
			o := opt
			o.Policy, o.Now = parsePolicy(t, "validity = \"ignore\"\n[revocation]\nrequired = true\n"), now().AddDate(2, 0, 0)
			return o
		}(), []verify.RevocationFile{good}, verify.RevocationExpired},
	} {
		t.Run(c.about, func(t *testing.T) {
			o := withLists(c.opt, c.files...)
			if e := mustRefuse(t, file, o, c.want); e.ExitCode() != 14 {
				t.Errorf("exit code %d", e.ExitCode())
			}
			if o.Revocations.Err() == nil || o.Revocations.Seen() != nil {
				t.Errorf("%v, %v", o.Revocations.Err(), o.Revocations.Seen())
			}
			// Who is trusted by nobody is 12 all the same.
			o.Keyring = ring(t, "p521")
			mustRefuse(t, file, o, verify.NoTrustedSigner)
		})
	}
	// Without Options.Revocations at all it is no different.
	o := opt
	o.Policy = parsePolicy(t, "[revocation]\nrequired = true\n")
	mustRefuse(t, file, o, verify.RevocationMissing)
	mustVerify(t, file, withLists(o, good))
	o.Policy = parsePolicy(t, "[revocation]\nsigners = [\""+p384.id(t).String()+"\"]\n")
	mustVerify(t, file, withLists(o, good))
}

// A list never goes back to an older one, to another of the same number, or
// away, once the machine had it (A20; A19 for the floor that remembers it).
func TestRolledBackListsAreRefused(t *testing.T) {
	p384 := loadKey(t, "p384")
	file := newDraft(t).file(t)
	opt := options(t, "p256", "p384")
	five := withLists(opt, listFile(t, aList(nil), p384))
	mustVerify(t, file, five)
	s := &floor.State{}
	if len(five.Revocations.Seen()) != 1 || !s.Note(five.Revocations.Seen()[0]) || s.Note(five.Revocations.Seen()[0]) {
		t.Fatal("the list is not remembered once")
	}
	s, err := floor.Decode(s.Encode())
	if err != nil {
		t.Fatal(err)
	}
	opt.Floor = s
	numbered := func(n uint64) verify.RevocationFile {
		return listFile(t, aList(func(l *revocation.List) { l.Serial = n }), p384)
	}
	mustVerify(t, file, withLists(opt, numbered(5)))
	mustVerify(t, file, withLists(opt, numbered(6)))
	mustRefuse(t, file, withLists(opt, numbered(4)), verify.RevocationRolledBack)
	mustRefuse(t, file, withLists(opt, listFile(t, aList(func(l *revocation.List) { l.Digests = []string{strings.Repeat("ab", 32)} }), p384)), verify.RevocationRolledBack)
	mustRefuse(t, file, withLists(opt, listFile(t, aList(func(l *revocation.List) { l.Name, l.Serial = "other", 9 }), p384)), verify.RevocationMissing)
	mustRefuse(t, file, withLists(opt), verify.RevocationMissing)
	mustRefuse(t, file, opt, verify.RevocationMissing)
}

// An entry lowers a floor as long as its list is in date, and never below what
// it revokes.
func TestAListLowersAFloor(t *testing.T) {
	p256, p384 := loadKey(t, "p256"), loadKey(t, "p384")
	file := newDraft(t).file(t) // version 7
	opt := options(t, "p256", "p384")
	s := &floor.State{}
	s.Raise("count", []keys.ID{p256.id(t)}, 9)
	opt.Floor = s
	mustRefuse(t, file, opt, verify.OlderVersion)
	to := func(v revocation.Version) verify.RevocationFile {
		return listFile(t, aList(func(l *revocation.List) { l.Names = []revocation.Version{v} }), p384)
	}
	mustVerify(t, file, withLists(opt, to(revocation.Version{Name: "count", Floor: 7})))
	mustVerify(t, file, withLists(opt, to(revocation.Version{Name: "count", Floor: 5})))
	mustRefuse(t, file, withLists(opt, to(revocation.Version{Name: "count", Floor: 8})), verify.OlderVersion)
	mustRefuse(t, file, withLists(opt, to(revocation.Version{Name: "guard", Floor: 1})), verify.OlderVersion)
	mustRefuse(t, file, withLists(opt, to(revocation.Version{Name: "count", Below: 8, Floor: 8})), verify.VersionRevoked)
	late := opt
	late.Policy, late.Now = parsePolicy(t, `validity = "ignore"`), now().Add(400*24*time.Hour)
	mustRefuse(t, file, withLists(late, to(revocation.Version{Name: "count", Floor: 7})), verify.OlderVersion)
}
