package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"testing"
	"time"
)

// node is a certificate with its key.
type node struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issue makes a certificate by a node, self-signed without one.
func issue(t testing.TB, by *node, name string, change func(*x509.Certificate)) *node {
	t.Helper()
	key := ecKey(t, elliptic.P256())
	return issueFor(t, by, key, name, change)
}

func issueFor(t testing.TB, by *node, key *ecdsa.PrivateKey, name string, change func(*x509.Certificate)) *node {
	t.Helper()
	id, err := IDOf(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(mrand.Int64()), Subject: pkix.Name{Organization: []string{"Example"}, CommonName: name},
		NotBefore: noon.Add(-24 * time.Hour), NotAfter: noon.Add(24 * time.Hour),
		BasicConstraintsValid: true, SubjectKeyId: id[:20],
	}
	change(template)
	parent, signer := template, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &node{cert, key}
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.MaxPathLen = true, x509.KeyUsageCertSign, -1
}

func asSigner(c *x509.Certificate) {
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
}

func with(changes ...func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, change := range changes {
			change(c)
		}
	}
}

func ringOfCAs(cas ...*node) *Keyring {
	r := &Keyring{}
	for _, ca := range cas {
		r.addCA(ca.cert)
	}
	return r
}

func inDate(ca *x509.Certificate) error { return CheckValidity(ca, noon) }

func TestACAOfTheKeyringIsTrustedForWhatItIssued(t *testing.T) {
	root := issue(t, nil, "root", asCA)
	middle := issue(t, root, "middle", asCA)
	lower := issue(t, middle, "lower", asCA)
	signer := issue(t, root, "signer", asSigner)
	deep := issue(t, lower, "deep", asSigner)
	key, err := ringOfCAs(root).Issued(signer.cert, nil, 0, inDate)
	if err != nil {
		t.Fatal(err)
	}
	if len(key.Issuers) != 1 || !key.Issuers[0].Equal(root.cert) || key.Certificate != signer.cert || key.Check(noon) != nil {
		t.Errorf("%+v", key)
	}
	if r := ringOfCAs(root); r.Find(key.ID) != nil || len(r.Keys()) != 0 {
		t.Error("what was issued became part of the keyring")
	}
	pool := []*x509.Certificate{lower.cert, signer.cert, middle.cert} // in any order, with others
	key, err = ringOfCAs(root).Issued(deep.cert, pool, 2, inDate)
	if err != nil || len(key.Issuers) != 3 || !key.Issuers[2].Equal(root.cert) {
		t.Errorf("%v, %v", key, err)
	}
	if _, err := ringOfCAs(middle).Issued(deep.cert, pool, 1, inDate); err != nil {
		t.Errorf("a CA that is not the last of its line: %v", err)
	}
	refusedFor(t, CertificatePathLength)(ringOfCAs(root).Issued(deep.cert, pool, 1, inDate))
	refusedFor(t, CertificateNoIssuer)(ringOfCAs(root).Issued(deep.cert, pool[:1], 3, inDate))
	refusedFor(t, CertificateNoIssuer)(ringOfCAs().Issued(signer.cert, []*x509.Certificate{root.cert}, 3, inDate))
	refusedFor(t, CertificateNoIssuer)((*Keyring)(nil).Issued(signer.cert, []*x509.Certificate{root.cert}, 3, inDate))
}

func refusedFor(t *testing.T, want CertificateReason) func(*TrustedKey, error) {
	return func(key *TrustedKey, err error) {
		t.Helper()
		var e *CertificateError
		if key != nil || !errors.As(err, &e) || e.Reason != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func extra(id []int, critical bool, value any) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		der, err := asn1.Marshal(value)
		if err != nil {
			panic(err)
		}
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: der})
	}
}

// directory is a NameConstraints with one directory name, permitted (0) or
// excluded (1).
func directory(which int, name pkix.Name, critical bool) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		base, err := asn1.Marshal(name.ToRDNSequence())
		if err != nil {
			panic(err)
		}
		wrap := func(class, tag int, inner []byte) []byte {
			der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: inner})
			if err != nil {
				panic(err)
			}
			return der
		}
		subtree := wrap(asn1.ClassUniversal, asn1.TagSequence, wrap(asn1.ClassContextSpecific, 4, base))
		value := wrap(asn1.ClassUniversal, asn1.TagSequence, wrap(asn1.ClassContextSpecific, which, subtree))
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 30}, Critical: critical, Value: value})
	}
}

// What a CA of the keyring signed and may not have (A13: osslsigncode 2.11 took
// chains whose certificates were for something else).
func TestWaysThatAreNotAllowed(t *testing.T) {
	example, other := pkix.Name{Organization: []string{"Example"}}, pkix.Name{Organization: []string{"Example2"}}
	day := 24 * time.Hour
	for about, c := range map[string]struct {
		root, middle, signer func(*x509.Certificate)
		want                 CertificateReason // none: good
	}{
		"all good":                             {},
		"the signer is a CA":                   {signer: asCA, want: CertificateIsCA},
		"not for code signing":                 {signer: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, want: CertificateUsage},
		"no usage of the key":                  {signer: func(c *x509.Certificate) { c.KeyUsage = 0 }, want: CertificateUsage},
		"middle is no CA":                      {middle: func(c *x509.Certificate) { c.IsCA = false; c.MaxPathLen = 0 }, want: CertificateNotACA},
		"middle may not issue":                 {middle: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, want: CertificateNotACA},
		"middle is of version 1 rules":         {middle: func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = false, false }, want: CertificateNotACA},
		"middle is for servers":                {middle: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, want: CertificateUsage},
		"middle is for code":                   {middle: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }},
		"middle is for anything":               {middle: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }},
		"the root allows no CA":                {root: func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }, want: CertificatePathLength},
		"the root allows one":                  {root: func(c *x509.Certificate) { c.MaxPathLen = 1 }},
		"the root expired":                     {root: func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }, want: CertificateExpired},
		"middle is not yet valid":              {middle: func(c *x509.Certificate) { c.NotBefore = noon.Add(day / 2) }, want: CertificateNotYetValid},
		"an unknown critical extension":        {middle: extra([]int{1, 2, 3}, true, 1), want: CertificateExtension},
		"an unknown one":                       {middle: extra([]int{1, 2, 3}, false, 1)},
		"policies are required":                {middle: extra([]int{2, 5, 29, 36}, true, struct{}{}), want: CertificateExtension},
		"a critical one of the signer":         {signer: extra([]int{1, 2, 3}, true, 1), want: CertificateExtension},
		"a permitted directory":                {root: directory(0, example, true)},
		"another directory":                    {root: directory(0, other, true), want: CertificateConstraints},
		"middle's permitted directory":         {middle: directory(0, example, true)},
		"middle's other directory":             {middle: directory(0, other, true), want: CertificateConstraints},
		"an excluded directory":                {root: directory(1, other, true), want: CertificateConstraints},
		"constraints that may be passed over":  {root: directory(0, example, false), want: CertificateConstraints},
		"constraints of hosts, and no host":    {root: hosts("example.com")},
		"constraints of hosts, and a host":     {root: hosts("example.com"), signer: func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }, want: CertificateConstraints},
		"constraints of hosts, and an address": {root: hosts("example.com"), signer: func(c *x509.Certificate) { c.EmailAddresses = []string{"a@example.com"} }},
		"a host, and no constraints":           {signer: func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }},
	} {
		t.Run(about, func(t *testing.T) {
			change := func(base, more func(*x509.Certificate)) func(*x509.Certificate) {
				if more == nil {
					return base
				}
				return with(base, more)
			}
			root := issue(t, nil, "root", change(asCA, c.root))
			middle := issue(t, root, "middle", change(asCA, c.middle))
			signer := issue(t, middle, "signer", change(asSigner, c.signer))
			key, err := ringOfCAs(root).Issued(signer.cert, []*x509.Certificate{middle.cert}, 1, inDate)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refusedFor(t, c.want)(key, err)
		})
	}
}

func hosts(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, names }
}

// A way that is not usable is no way, and another one is found.
func TestOfSeveralWaysAUsableOneIsTaken(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	old := issueFor(t, nil, key, "root", with(asCA, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }))
	renewed := issueFor(t, nil, key, "root", asCA)
	signer := issue(t, renewed, "signer", asSigner)
	for _, cas := range [][]*node{{old, renewed}, {renewed, old}} {
		trusted, err := ringOfCAs(cas...).Issued(signer.cert, nil, 0, inDate)
		if err != nil || !trusted.Issuers[0].Equal(renewed.cert) || trusted.Check(noon) != nil {
			t.Errorf("%v, %v", trusted, err)
		}
	}
	revoked := errors.New("revoked")
	if _, err := ringOfCAs(renewed).Issued(signer.cert, nil, 0, func(*x509.Certificate) error { return revoked }); err != revoked {
		t.Errorf("%v", err)
	}
	trusted, err := ringOfCAs(old).Issued(signer.cert, nil, 0, func(*x509.Certificate) error { return nil })
	if err != nil || trusted.Check(noon) == nil {
		t.Errorf("%v, %v", trusted, err)
	}
}

// Many certificates of one name end a search, and not the machine (A32).
func TestASearchIsBounded(t *testing.T) {
	root := issue(t, nil, "same", asCA)
	var pool []*x509.Certificate
	last := root
	for range 16 {
		last = issueFor(t, last, ecKey(t, elliptic.P256()), "same", with(asCA, func(c *x509.Certificate) { c.SubjectKeyId = nil }))
		pool = append(pool, last.cert)
	}
	signer := issue(t, last, "signer", asSigner)
	s := &search{ring: ringOfCAs(issue(t, nil, "same", with(asCA, func(c *x509.Certificate) { c.SubjectKeyId = nil }))), pool: pool, limit: 3, usable: inDate}
	if s.walk([]*x509.Certificate{signer.cert}) || s.checks > 2*maxChecks+16*16*16 {
		t.Errorf("%d checks", s.checks)
	}
}

// What is accepted here crypto/x509 accepts as well, and without the limits that
// are stricter here the two agree, on thousands of random ways.
func TestWaysAgainstTheStandardLibrary(t *testing.T) {
	r := mrand.New(mrand.NewPCG(1, 2))
	pick := func(n int) bool { return r.IntN(n) == 0 }
	rounds := 1500
	if testing.Short() {
		rounds = 200
	}
	agreed, accepted := 0, 0
	for round := range rounds {
		stricter := ""
		spoil := func(base func(*x509.Certificate), ca bool) func(*x509.Certificate) {
			return func(c *x509.Certificate) {
				base(c)
				if pick(12) {
					c.NotAfter = noon.Add(-time.Hour)
				}
				if pick(12) {
					c.ExtKeyUsage = []x509.ExtKeyUsage{[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageAny, x509.ExtKeyUsageCodeSigning}[r.IntN(3)]}
					if !ca && c.ExtKeyUsage[0] == x509.ExtKeyUsageAny {
						stricter += "a signer for any usage; "
					}
				}
				if ca && pick(6) {
					c.MaxPathLen = r.IntN(3)
					c.MaxPathLenZero = c.MaxPathLen == 0
				}
				if ca && pick(15) {
					c.IsCA, c.MaxPathLen, c.MaxPathLenZero = false, 0, false
				}
				if pick(15) {
					c.KeyUsage = []x509.KeyUsage{x509.KeyUsageCRLSign, x509.KeyUsageDigitalSignature, x509.KeyUsageCertSign}[r.IntN(3)]
					if !ca {
						stricter += "a signer's usage; "
					}
				}
				if pick(20) {
					c.KeyUsage = 0
					stricter += "no usage; "
				}
				if ca && pick(8) {
					hosts("example.com")(c)
				}
				if !ca && pick(4) {
					c.DNSNames = []string{[]string{"a.example.com", "example.org"}[r.IntN(2)]}
					stricter += "a name that may be constrained; "
				}
				if pick(15) {
					extra([]int{1, 2, 3}, pick(2), 1)(c)
				}
				if pick(20) {
					c.SubjectKeyId = nil
				}
			}
		}
		path := []*node{issue(t, nil, "root", spoil(asCA, true))}
		for i := range r.IntN(4) {
			path = append(path, issue(t, path[i], fmt.Sprintf("ca %d", i), spoil(asCA, true)))
		}
		signer := issue(t, path[len(path)-1], "signer", spoil(asSigner, false))
		if len(signer.cert.SubjectKeyId) == 0 {
			stricter += "a signer without key id; "
		}
		for _, ca := range path {
			if !IsCA(ca.cert) && ca == path[0] {
				stricter += "no CA in the keyring; " // x509 takes a trusted root as it is
			}
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(path[0].cert)
		var pool []*x509.Certificate
		for _, ca := range path[1:] {
			between.AddCert(ca.cert)
			pool = append(pool, ca.cert)
		}
		_, theirs := signer.cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}})
		key, ours := ringOfCAs(path[0]).Issued(signer.cert, pool, MaxIntermediates, inDate)
		if ours == nil {
			ours = key.Check(noon)
		}
		switch {
		case ours == nil && theirs != nil:
			t.Errorf("round %d: accepted, and crypto/x509 says: %v", round, theirs)
		case ours != nil && theirs == nil && stricter == "":
			t.Errorf("round %d: crypto/x509 accepts, and here: %v", round, ours)
		case ours == nil:
			accepted++
		}
		if (ours == nil) == (theirs == nil) {
			agreed++
		}
	}
	if accepted < rounds/20 || agreed < rounds*3/4 {
		t.Errorf("of %d ways %d were accepted and %d judged alike: the test tests little", rounds, accepted, agreed)
	}
}

func FuzzNameConstraints(f *testing.F) {
	for _, which := range []int{0, 1} {
		c := &x509.Certificate{}
		directory(which, pkix.Name{Organization: []string{"Example"}}, true)(c)
		f.Add(c.ExtraExtensions[0].Value, c.ExtraExtensions[0].Value)
	}
	f.Add([]byte{0x30, 0}, []byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der, names []byte) {
		c, ok := parseConstraints(der)
		if !ok {
			return
		}
		c.allowsDirectory(names)
		firstConstrained(names, &c)
	})
}

// A CA whose certificate or key is weak stands for nobody (A12: the kernel takes
// SHA-1 and any size of key).
func TestWeakCAsStandForNobody(t *testing.T) {
	weak := rsaKey(t, 1024)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weak"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		BasicConstraintsValid: true, SubjectKeyId: []byte{1},
	}
	asCA(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, weak.Public(), weak)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	ca := &node{cert, weak}
	signer := issue(t, ca, "signer", asSigner)
	refusedFor(t, CertificateKey)(ringOfCAs(ca).Issued(signer.cert, nil, 0, inDate))
	if _, err := TrustAuthority(ca.cert); err == nil {
		t.Error("a weak CA is taken into a keyring")
	}
	// One in the middle, under a good one.
	root := issue(t, nil, "root", asCA)
	der, err = x509.CreateCertificate(rand.Reader, template, root.cert, weak.Public(), root.key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	middle := &node{cert, weak}
	signer = issue(t, middle, "signer", asSigner)
	if key, err := ringOfCAs(root).Issued(signer.cert, []*x509.Certificate{middle.cert}, 1, inDate); err == nil {
		t.Errorf("%v", key)
	}
	sha1 := *signer.cert
	sha1.SignatureAlgorithm = x509.ECDSAWithSHA1
	if key, err := ringOfCAs(root).Issued(&sha1, nil, 1, inDate); err == nil {
		t.Errorf("%v", key)
	}
}
