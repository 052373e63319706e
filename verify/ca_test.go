package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// issue makes a key and its certificate by a CA, self-signed without one.
func issue(t testing.TB, by *testKey, name string, change func(*x509.Certificate)) testKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := keys.IDOf(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now().AddDate(-1, 0, 0), NotAfter: now().AddDate(1, 0, 0),
		BasicConstraintsValid: true, SubjectKeyId: id[:20],
	}
	change(template)
	parent, signer := template, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return testKey{private: key, cert: cert}
}

func asCA(c *x509.Certificate) { c.IsCA, c.KeyUsage, c.MaxPathLen = true, x509.KeyUsageCertSign, -1 }

func asSigner(c *x509.Certificate) {
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
}

// trusting are options with a keyring of these certificates, as files have them.
func trusting(t testing.TB, certs ...testKey) verify.Options {
	t.Helper()
	dir := t.TempDir()
	for i, k := range certs {
		data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.cert.Raw})
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.crt", i)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ring, err := keys.LoadKeyring([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	return verify.Options{Keyring: ring, Now: now()}
}

// issuedDraft is signed by one key for manifest and kernel.
func issuedDraft(t testing.TB, k testKey) *draft {
	d := bareDraft(t, k)
	d.kernel = &k
	return d
}

func TestSignersOfACAOfTheKeyringCount(t *testing.T) {
	ca := issue(t, nil, "company", asCA)
	signer := issue(t, &ca, "release", asSigner)
	v := mustVerify(t, issuedDraft(t, signer).file(t), trusting(t, ca))
	s := v.Signers()
	if len(s) != 1 || s[0].KeyID != signer.id(t) || s[0].Issuer != ca.id(t) || s[0].Account() != ca.id(t) || s[0].Subject != "CN=release" || s[0].IssuerSubject != "CN=company" || !v.KernelSignerIssued() {
		t.Errorf("%+v, %v", s, v.KernelSignerIssued())
	}
	// The key of the CA signs no objects, and a key of the keyring needs no CA.
	mustRefuse(t, bareDraft(t, testKey{private: ca.private}).file(t), trusting(t, ca), verify.NoTrustedSigner)
	v = mustVerify(t, issuedDraft(t, signer).file(t), trusting(t, ca, signer))
	if s := v.Signers(); len(s) != 1 || s[0].Issuer != (keys.ID{}) || v.KernelSignerIssued() {
		t.Errorf("%+v", s)
	}
}

// A certificate in the file is never trusted for being there, nor is a CA
// (A02: cosign took what the bundle brought).
func TestAFilesOwnCAIsNobody(t *testing.T) {
	ca, other := issue(t, nil, "company", asCA), issue(t, nil, "company", asCA)
	signer := issue(t, &other, "release", asSigner)
	mustRefuse(t, issuedDraft(t, signer).file(t), trusting(t, ca), verify.NoTrustedSigner)
	bare := issue(t, &ca, "release", asSigner)
	mustRefuse(t, bareDraft(t, testKey{private: bare.private}).file(t), trusting(t, ca), verify.NoTrustedSigner)
}

func TestWhatACAMayNotStandFor(t *testing.T) {
	past, soon := now().AddDate(0, -1, 0), now().AddDate(0, 1, 0)
	for about, c := range map[string]struct {
		ca, signer func(*x509.Certificate)
		want       verify.Reason
		code       int
	}{
		"the signer expired":    {signer: func(c *x509.Certificate) { c.NotAfter = past }, want: verify.CertificateExpired, code: 13},
		"the signer is not yet": {signer: func(c *x509.Certificate) { c.NotBefore = soon }, want: verify.CertificateNotYet, code: 13},
		"the CA expired":        {ca: func(c *x509.Certificate) { c.NotAfter = past }, want: verify.CertificateExpired, code: 13},
		"not for code":          {signer: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, want: verify.CertificateRefused, code: 12},
		"the CA is for servers": {ca: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, want: verify.CertificateRefused, code: 12},
		"the CA may not issue":  {ca: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }, want: verify.CertificateRefused, code: 12},
		"a constrained name":    {ca: hosts, signer: func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }, want: verify.CertificateRefused, code: 12},
		"an unknown critical thing": {signer: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}, want: verify.CertificateRefused, code: 12},
	} {
		t.Run(about, func(t *testing.T) {
			ca := issue(t, nil, "company", both(asCA, c.ca))
			signer := issue(t, &ca, "release", both(asSigner, c.signer))
			if e := mustRefuse(t, bareDraft(t, signer).file(t), trusting(t, ca), c.want); e.ExitCode() != c.code {
				t.Errorf("exit code %d", e.ExitCode())
			}
		})
	}
}

func hosts(c *x509.Certificate) {
	c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.com"}
}

func both(base, more func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		if base(c); more != nil {
			more(c)
		}
	}
}

// validity in policy means the CAs as well.
func TestTheTimeOfACA(t *testing.T) {
	created := time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC) // of the drafts
	expired := issue(t, nil, "company", both(asCA, func(c *x509.Certificate) { c.NotAfter = created.AddDate(0, 1, 0) }))
	later := issue(t, nil, "company", both(asCA, func(c *x509.Certificate) { c.NotBefore = created.AddDate(0, 1, 0) }))
	for _, c := range []struct {
		ca       testKey
		validity string
		want     verify.Reason
	}{
		{expired, "now", verify.CertificateExpired},
		{expired, "created", ""},
		{expired, "ignore", ""},
		{later, "now", ""},
		{later, "created", verify.CertificateNotYet},
		{later, "ignore", ""},
	} {
		signer := issue(t, &c.ca, "release", asSigner)
		opt := trusting(t, c.ca)
		opt.Policy = parsePolicy(t, "validity = \""+c.validity+"\"\n")
		if c.want == "" {
			mustVerify(t, issuedDraft(t, signer).file(t), opt)
		} else {
			mustRefuse(t, issuedDraft(t, signer).file(t), opt, c.want)
		}
	}
}

// Revocation, scope and floor of a CA are those of all that it issued.
func TestWhatHoldsForACAHoldsForWhatItIssued(t *testing.T) {
	ca, root := issue(t, nil, "company", asCA), loadKey(t, "p384")
	one, two := issue(t, &ca, "one", asSigner), issue(t, &ca, "two", asSigner)
	opt := trusting(t, ca, root)
	revoked := listFile(t, aList(func(l *revocation.List) { l.Keys = []string{ca.id(t).String()} }), root)
	mustRefuse(t, issuedDraft(t, one).file(t), withLists(opt, revoked), verify.KeyRevoked)
	revoked = listFile(t, aList(func(l *revocation.List) { l.Keys = []string{one.id(t).String()} }), root)
	mustRefuse(t, issuedDraft(t, one).file(t), withLists(opt, revoked), verify.KeyRevoked)
	mustVerify(t, issuedDraft(t, two).file(t), withLists(opt, revoked))

	scoped := opt
	scoped.Policy = parsePolicy(t, fmt.Sprintf("[[scope]]\nkey = \"%v\"\nnames = [\"guard\"]\n", ca.id(t)))
	mustRefuse(t, bareDraft(t, one).file(t), scoped, verify.OutOfScope)
	scoped.Policy = parsePolicy(t, fmt.Sprintf("[[scope]]\nkey = \"%v\"\nnames = [\"count\"]\n", ca.id(t)))
	mustVerify(t, bareDraft(t, one).file(t), scoped)

	// A new certificate is no way around what was loaded before (A19).
	s := &floor.State{}
	v := mustVerify(t, issuedDraft(t, one).file(t), opt)
	s.Raise(v.Manifest().Name, []keys.ID{v.Signers()[0].Account()}, v.Manifest().Version+1)
	opt.Floor = s
	mustRefuse(t, issuedDraft(t, two).file(t), opt, verify.OlderVersion)
}

// Kernel signatures carry exactly the certificates that the manifest names, or
// none.
func TestCertificatesInKernelSignatures(t *testing.T) {
	ca := issue(t, nil, "company", asCA)
	signer, other := issue(t, &ca, "release", asSigner), issue(t, &ca, "other", asSigner)
	opt := trusting(t, ca)
	carried := func(chain []string, certs ...*x509.Certificate) []byte {
		d := issuedDraft(t, signer)
		d.chain = chain
		d.encode = func(cert *x509.Certificate, value []byte) ([]byte, error) {
			if certs == nil {
				return cms.Encode(cert, value)
			}
			return cms.EncodeChain(certs[0], certs[1:], value)
		}
		return d.file(t)
	}
	own := digest(signer.cert.Raw)
	mustVerify(t, carried(nil), opt)
	mustVerify(t, carried([]string{own}, signer.cert), opt)
	mustVerify(t, carried([]string{own, digest(ca.cert.Raw)}, signer.cert, ca.cert), opt)
	for about, file := range map[string][]byte{
		"certificates that nobody named":   carried(nil, signer.cert),
		"the named ones taken out":         carried([]string{own}),
		"one less":                         carried([]string{own, digest(ca.cert.Raw)}, signer.cert),
		"one more":                         carried([]string{own}, signer.cert, ca.cert),
		"another one in place of a named":  carried([]string{own, digest(ca.cert.Raw)}, signer.cert, other.cert),
		"another one of the signer's name": carried([]string{own}, other.cert),
	} {
		t.Run(about, func(t *testing.T) { mustRefuse(t, file, opt, verify.KernelSignature) })
	}
}
