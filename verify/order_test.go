package verify_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// The exit code of every reason, as commands promise it.
func TestVerdictsAndExitCodes(t *testing.T) {
	for reason, want := range map[verify.Reason]struct {
		verdict string
		code    int
	}{
		verify.NoSeal:                {"unsigned", 10},
		verify.MalformedSeal:         {"bad-signature", 11},
		verify.MalformedKey:          {"bad-signature", 11},
		verify.KeyIDMismatch:         {"bad-signature", 11},
		verify.WrongSignature:        {"bad-signature", 11},
		verify.SignatureNoPAE:        {"bad-signature", 11},
		verify.MalformedManifest:     {"bad-signature", 11},
		verify.ObjectMismatch:        {"bad-signature", 11},
		verify.ProfileMismatch:       {"bad-signature", 11},
		verify.LoaderMismatch:        {"bad-signature", 11},
		verify.MetadataMismatch:      {"bad-signature", 11},
		verify.CertMismatch:          {"bad-signature", 11},
		verify.KernelSignature:       {"bad-signature", 11},
		verify.NotReproducible:       {"bad-signature", 11},
		verify.NoTrustedSigner:       {"untrusted", 12},
		verify.KernelSignerUntrusted: {"untrusted", 12},
		verify.CertificateRefused:    {"untrusted", 12},
		verify.KeyRevoked:            {"revoked", 14},
		verify.ObjectRevoked:         {"revoked", 14},
		verify.VersionRevoked:        {"revoked", 14},
		verify.RevocationMissing:     {"revoked", 14},
		verify.RevocationExpired:     {"revoked", 14},
		verify.RevocationRolledBack:  {"revoked", 14},
		verify.RevocationRefused:     {"revoked", 14},
		verify.CertificateExpired:    {"expired", 13},
		verify.CertificateNotYet:     {"expired", 13},
		verify.ObjectExpired:         {"expired", 13},
		verify.AlgorithmForbidden:    {"policy", 16},
		verify.ProgramTypeForbidden:  {"policy", 16},
		verify.ProfileForbidden:      {"policy", 16},
		verify.IdentityForbidden:     {"policy", 16},
		verify.OutOfScope:            {"policy", 16},
		verify.TooFewSignatures:      {"threshold", 17},
		verify.OlderVersion:          {"rollback", 15},
		verify.RegenerationFailed:    {"error", 1},
		verify.InvalidOptions:        {"error", 1},
		"something-new":              {"error", 1},
		"":                           {"error", 1},
	} {
		e := &verify.Error{Reason: reason}
		if e.Verdict() != want.verdict || e.ExitCode() != want.code {
			t.Errorf("%q: verdict %s, exit code %d", reason, e.Verdict(), e.ExitCode())
		}
	}
}

// spoiled is a file with one thing wrong at every step. Each step of the table
// mends the first, and the next becomes visible.
func TestTheOrderOfSteps(t *testing.T) {
	p256 := loadKey(t, "p256")
	garbage := func(d *draft) []byte { return join(t, d.object, d.sealPayload(t, []byte("{}"))) }
	strict, err := policy.Parse([]byte("threshold = 2\nprogram-types = []\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		about string
		file  func() []byte
		opt   verify.Options
		want  verify.Reason
	}{
		{"framing before signatures", func() []byte { return append(foreignWrong(t), "~tbpf-seal appended~"...) },
			options(t, "p256"), verify.MalformedSeal},
		{"a wrong foreign signature before trust", func() []byte { return foreignWrong(t) },
			options(t), verify.WrongSignature},
		{"trust before the statement is parsed", func() []byte { return garbage(bareDraft(t, loadKey(t, "p256-other"))) },
			options(t, "p256"), verify.NoTrustedSigner},
		{"expiry before the statement is parsed", func() []byte { return garbage(bareDraft(t, loadKey(t, "p256-expired"))) },
			options(t, "p256-expired"), verify.CertificateExpired},
		{"the statement before digests", func() []byte {
			d := bareDraft(t, p256)
			s := d.sealPayload(t, []byte("{}"))
			return join(t, []byte("another object"), s)
		}, options(t, "p256"), verify.MalformedManifest},
		{"digests before the threshold", func() []byte {
			d := bareDraft(t, p256)
			return join(t, []byte("another object"), d.seal(t))
		}, verify.Options{Keyring: ring(t, "p256"), Now: now(), Policy: strict}, verify.ObjectMismatch},
		{"not-after before the threshold", func() []byte {
			d := bareDraft(t, p256)
			notAfter(d)
			return d.file(t)
		}, verify.Options{Keyring: ring(t, "p256"), Now: now(), Policy: strict}, verify.ObjectExpired},
		{"the threshold before policy", func() []byte { return bareDraft(t, p256).file(t) },
			verify.Options{Keyring: ring(t, "p256"), Now: now(), Policy: strict}, verify.TooFewSignatures},
		{"policy last", func() []byte { return bareDraft(t, p256, loadKey(t, "rsa2048")).file(t) },
			verify.Options{Keyring: ring(t, "p256", "rsa2048"), Now: now(), Policy: strict}, verify.ProgramTypeForbidden},
	} {
		t.Run(step.about, func(t *testing.T) { mustRefuse(t, step.file(), step.opt, step.want) })
	}
}

func TestNobodyIsTrustedWithoutAKeyring(t *testing.T) {
	file := newDraft(t).file(t)
	mustRefuse(t, file, verify.Options{Now: now()}, verify.NoTrustedSigner)
	mustRefuse(t, file, verify.Options{Now: now(), Keyring: keys.NewKeyring()}, verify.NoTrustedSigner)
}

// Signatures stand in the order of key ids, so a foreign one comes before or
// after the trusted one that is dropped.
func TestForeignSignersDoNotChangeTheReason(t *testing.T) {
	expired := loadKey(t, "p256-expired")
	for name := range keyKinds() {
		if name != "p256-expired" {
			d := bareDraft(t, expired, loadKey(t, name))
			mustRefuse(t, d.file(t), options(t, "p256-expired"), verify.CertificateExpired)
		}
	}
}

// A refusal names the key that signed, so that one can decide to trust it.
func TestARefusalNamesTheSigner(t *testing.T) {
	other, ca := loadKey(t, "p256-other"), loadKey(t, "p256-ca")
	e := mustRefuse(t, bareDraft(t, other).file(t), options(t, "p256"), verify.NoTrustedSigner)
	if !strings.HasSuffix(e.Error(), other.id(t).String()) {
		t.Errorf("error %q", e)
	}
	e = mustRefuse(t, bareDraft(t, other, ca).file(t), options(t, "p256"), verify.NoTrustedSigner)
	if !strings.HasSuffix(e.Error(), " and 1 more") {
		t.Errorf("error %q", e)
	}
}

func TestWithoutATimeTheClockCounts(t *testing.T) {
	opt := options(t, "p256", "p256-expired")
	opt.Now = time.Time{}
	mustVerify(t, newDraft(t).file(t), opt)
	mustRefuse(t, bareDraft(t, loadKey(t, "p256-expired")).file(t), opt, verify.CertificateExpired)
}

func TestOneKeyCountsOnce(t *testing.T) {
	p256 := loadKey(t, "p256")
	bare, err := keys.TrustKey(p256.private.Public(), "bare")
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.TrustCertificate(reissued(t), "reissued")
	if err != nil {
		t.Fatal(err)
	}
	opt := verify.Options{Keyring: keys.NewKeyring(bare, trusted(t, p256), again), Now: now(), Threshold: 2}
	mustRefuse(t, newDraft(t).file(t), opt, verify.TooFewSignatures)
	opt.Threshold = 1
	if s := mustVerify(t, newDraft(t).file(t), opt).Signers(); len(s) != 1 {
		t.Errorf("signers %v", s)
	}
}

func TestThresholdOnlyRaises(t *testing.T) {
	file := newDraft(t).file(t)
	opt := options(t, "p256")
	two, err := policy.Parse([]byte("threshold = 2"))
	if err != nil {
		t.Fatal(err)
	}
	opt.Policy, opt.Threshold = two, 1
	mustRefuse(t, file, opt, verify.TooFewSignatures)
	opt.Policy, opt.Threshold = nil, 2
	mustRefuse(t, file, opt, verify.TooFewSignatures)
	opt.Threshold = -1
	mustRefuse(t, file, opt, verify.InvalidOptions)
	opt.Threshold, opt.Policy = 1, &policy.Policy{}
	mustRefuse(t, file, opt, verify.InvalidOptions)
}

func TestValidity(t *testing.T) {
	withPolicy := func(text string, names ...string) verify.Options {
		opt := options(t, names...)
		p, err := policy.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		opt.Policy = p
		return opt
	}
	d := bareDraft(t, loadKey(t, "p256-expired"))
	mustVerify(t, d.file(t), withPolicy(`validity = "ignore"`, "p256-expired"))
	d.manifest.Created = loadKey(t, "p256-expired").cert.NotBefore
	v := mustVerify(t, d.file(t), withPolicy(`validity = "created"`, "p256-expired"))
	if n := v.Notices(); len(n) != 2 || !strings.Contains(n[0], "expired at 2021") || !strings.Contains(n[1], "what the signer says") {
		t.Errorf("notices %q", n)
	}
	mustRefuse(t, d.file(t), withPolicy("", "p256-expired"), verify.CertificateExpired)

	// Both ends of a period count as within it.
	p256 := loadKey(t, "p256")
	file, opt := newDraft(t).file(t), options(t, "p256")
	opt.Now = p256.cert.NotBefore
	mustVerify(t, file, opt)
	opt.Now = p256.cert.NotBefore.Add(-1)
	mustRefuse(t, file, opt, verify.CertificateNotYet)
	opt.Now = p256.cert.NotAfter
	if n := mustVerify(t, file, opt).Notices(); len(n) != 1 || !strings.Contains(n[0], "expires at 2126") {
		t.Errorf("notices %q", n)
	}
	opt.Now = p256.cert.NotAfter.Add(1)
	mustRefuse(t, file, opt, verify.CertificateExpired)

	// A clock that was never set refuses; it does not let everything pass.
	opt.Now = opt.Now.AddDate(-200, 0, 0)
	mustRefuse(t, file, opt, verify.CertificateNotYet)
}

// Of the kernel signatures' signer the keyring's certificate decides, or the
// one in the file where the keyring has none.
func TestValidityOfTheKernelSigner(t *testing.T) {
	expired := loadKey(t, "p256-expired")
	d := bareDraft(t, loadKey(t, "ed25519-bare"))
	d.kernel = &expired
	file := d.file(t)
	mustRefuse(t, file, options(t, "ed25519-bare"), verify.CertificateExpired)
	mustRefuse(t, file, options(t, "ed25519-bare", "p256-expired"), verify.CertificateExpired)
	// A bare key has no end: whoever trusts it so takes it whenever it signed.
	bare, err := keys.TrustKey(expired.private.Public(), "bare")
	if err != nil {
		t.Fatal(err)
	}
	opt := options(t)
	opt.Keyring = keys.NewKeyring(trusted(t, loadKey(t, "ed25519-bare")), bare)
	mustVerify(t, file, opt)
	opt = options(t, "ed25519-bare")
	opt.Policy = policy.Default()
	opt.Policy.Validity = policy.ValidIgnore
	mustVerify(t, file, opt)
	opt.Policy.Validity = policy.ValidIgnore + 1 // no value that was meant to loosen anything
	mustRefuse(t, file, opt, verify.CertificateExpired)
	mustRefuse(t, bareDraft(t, expired).file(t), verify.Options{Keyring: ring(t, "p256-expired"), Now: now(), Policy: opt.Policy}, verify.CertificateExpired)
	d.manifest.Created = expired.cert.NotBefore
	opt.Policy.Validity = policy.ValidCreated
	mustVerify(t, d.file(t), opt)
}

// What a keyring was given without a check is refused all the same, whatever
// the policy says of time.
func TestACertificateThatIsNoSignersIsRefused(t *testing.T) {
	ca := loadKey(t, "p256-ca")
	key, err := keys.TrustKey(ca.private.Public(), "test")
	if err != nil {
		t.Fatal(err)
	}
	key.Certificates = []*x509.Certificate{ca.cert}
	opt := verify.Options{Keyring: keys.NewKeyring(key), Now: now()}
	mustRefuse(t, bareDraft(t, ca).file(t), opt, verify.CertificateRefused)
	opt.Policy = policy.Default()
	opt.Policy.Validity = policy.ValidIgnore
	mustRefuse(t, bareDraft(t, ca).file(t), opt, verify.CertificateRefused)
}

func TestNotAfterIsInclusive(t *testing.T) {
	d := newDraft(t)
	notAfter(d)
	opt := options(t, "p256")
	opt.Now = *d.manifest.NotAfter
	if n := mustVerify(t, d.file(t), opt).Notices(); len(n) != 1 {
		t.Errorf("notices %q", n)
	}
	opt.Now = d.manifest.NotAfter.Add(1)
	mustRefuse(t, d.file(t), opt, verify.ObjectExpired)
}

// The keyring decides, not the certificate in the file: a renewed certificate
// of the same key takes over for what was signed before.
func TestARenewedCertificateTakesOver(t *testing.T) {
	renewed, err := keys.TrustCertificate(reissued(t), "renewed")
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, newDraft(t).file(t), verify.Options{Keyring: keys.NewKeyring(renewed), Now: now()})
}

func TestWhatDoesNotCountIsToldOf(t *testing.T) {
	d := bareDraft(t, loadKey(t, "p256"), loadKey(t, "p256-expired"), loadKey(t, "p256-other"))
	v := mustVerify(t, d.file(t), options(t, "p256", "p256-expired"))
	if len(v.Signers()) != 1 || len(v.Notices()) != 2 {
		t.Errorf("signers %v, notices %q", v.Signers(), v.Notices())
	}
	for _, want := range []string{
		"a signature does not count: signer " + loadKey(t, "p256-expired").id(t).String(),
		loadKey(t, "p256-other").id(t).String() + ", which is not in the keyring",
	} {
		if !slices.ContainsFunc(v.Notices(), func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no notice %q in %q", want, v.Notices())
		}
	}
}
