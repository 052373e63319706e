package keys

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"
)

func TestCheckCertificateTakesEachKind(t *testing.T) {
	for _, key := range []crypto.Signer{ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521()), rsaKey(t, 2048), edKey(t)} {
		cert := certificate(t, key, nil)
		if err := CheckCertificate(cert, noon); err != nil {
			t.Errorf("%T: %v", key, err)
		}
		if err := CertificateOf(cert, key.Public()); err != nil {
			t.Errorf("%T: %v", key, err)
		}
	}
}

// A13, and A12 for what signed the certificate itself.
func TestCheckCertificateRefuses(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	for name, test := range map[string]struct {
		key    crypto.Signer
		change func(*x509.Certificate)
		want   CertificateReason
	}{
		"expired":              {key, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }, CertificateExpired},
		"not yet valid":        {key, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }, CertificateNotYetValid},
		"CA":                   {key, func(c *x509.Certificate) { c.IsCA = true }, CertificateIsCA},
		"keyCertSign":          {key, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign; c.IsCA = true }, CertificateIsCA},
		"no key usage":         {key, func(c *x509.Certificate) { c.KeyUsage = 0 }, CertificateUsage},
		"other key usage":      {key, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, CertificateUsage},
		"no extended usage":    {key, func(c *x509.Certificate) { c.ExtKeyUsage = nil }, CertificateUsage},
		"other extended usage": {key, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, CertificateUsage},
		"any extended usage":   {key, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, CertificateUsage},
		"no key identifier":    {key, func(c *x509.Certificate) { c.SubjectKeyId = nil }, CertificateNoKeyID},
		"critical and unknown": {key, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}}
		}, CertificateExtension},
		"P-224":                 {ecKey(t, elliptic.P224()), nil, CertificateKey},
		"RSA 1024":              {rsaKey(t, 1024), nil, CertificateKey},
		"wrong and expired too": {key, func(c *x509.Certificate) { c.KeyUsage = 0; c.NotAfter = noon.Add(-time.Second) }, CertificateUsage},
	} {
		t.Run(name, func(t *testing.T) {
			cert := certificate(t, test.key, test.change)
			var certErr *CertificateError
			if err := CheckCertificate(cert, noon); !errors.As(err, &certErr) || certErr.Reason != test.want {
				t.Fatalf("%v, want %s", err, test.want)
			}
			if temporal := test.want == CertificateExpired || test.want == CertificateNotYetValid; certErr.Temporal() != temporal {
				t.Errorf("Temporal() = %v", certErr.Temporal())
			}
			if err := CheckCertificateUse(cert); (err == nil) != certErr.Temporal() {
				t.Errorf("without the time: %v", err)
			}
		})
	}
	for name, cert := range map[string]*x509.Certificate{"nil": nil, "empty": {}} {
		var certErr *CertificateError
		if err := CheckCertificate(cert, noon); !errors.As(err, &certErr) || certErr.Reason != CertificateMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A CA that is one by keyUsage only, which crypto/x509 does not make.
func TestKeyCertSignAloneMakesCA(t *testing.T) {
	cert := certificate(t, ecKey(t, elliptic.P256()), func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign })
	var certErr *CertificateError
	if err := CheckCertificate(cert, noon); !errors.As(err, &certErr) || certErr.Reason != CertificateIsCA {
		t.Errorf("%v", err)
	}
}

func TestCertificateSignedWithWeakDigestIsRefused(t *testing.T) {
	weak := []x509.SignatureAlgorithm{x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1, 99}
	for _, alg := range weak {
		// crypto/x509 signs with none of these: change what it read.
		cert := *certificate(t, rsaKey(t, 2048), nil)
		cert.SignatureAlgorithm = alg
		var certErr *CertificateError
		if err := CheckCertificate(&cert, noon); !errors.As(err, &certErr) || certErr.Reason != CertificateAlgorithm {
			t.Errorf("%v: %v", alg, err)
		}
	}
}

func TestValidityHasBothEnds(t *testing.T) {
	cert := certificate(t, ecKey(t, elliptic.P256()), nil)
	for _, now := range []time.Time{cert.NotBefore, cert.NotAfter} {
		if err := CheckValidity(cert, now); err != nil {
			t.Errorf("at %v: %v", now, err)
		}
	}
}

func TestCertificateWithSecondEncodingOfKeyIsRefused(t *testing.T) {
	cert := *certificate(t, ecKey(t, elliptic.P256()), nil)
	cert.RawSubjectPublicKeyInfo = longLength(cert.RawSubjectPublicKeyInfo)
	var certErr *CertificateError
	if err := CheckCertificateUse(&cert); !errors.As(err, &certErr) || certErr.Reason != CertificateKey {
		t.Errorf("%v", err)
	}
}

func TestCertificateOfOtherKeyIsTold(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	cert := certificate(t, key, nil)
	var certErr *CertificateError
	if err := CertificateOf(cert, ecKey(t, elliptic.P256()).Public()); !errors.As(err, &certErr) || certErr.Reason != CertificateOtherKey {
		t.Errorf("%v", err)
	}
	var keyErr *KeyError
	if err := CertificateOf(cert, ecKey(t, elliptic.P224()).Public()); !errors.As(err, &keyErr) {
		t.Errorf("%v", err)
	}
	if err := CertificateOf(nil, key.Public()); !errors.As(err, &certErr) || certErr.Reason != CertificateMalformed {
		t.Errorf("%v", err)
	}
}

func TestParseCertificateTakesExactlyOne(t *testing.T) {
	cert := certPEM(certificate(t, ecKey(t, elliptic.P256()), nil))
	got, err := ParseCertificate(append([]byte("Certificate:\n    some text\n"), cert...))
	if err != nil || !bytes.Equal(certPEM(got), cert) {
		t.Errorf("one certificate with text before it: %v", err)
	}
	public := publicPEM(t, edKey(t).Public())
	block, _ := pem.Decode(cert)
	for name, data := range map[string][]byte{
		"nothing":       {},
		"two":           append(bytes.Clone(cert), cert...),
		"with a key":    append(bytes.Clone(cert), public...),
		"a key":         public,
		"cut":           cert[:len(cert)-20],
		"damaged":       bytes.Replace(cert, []byte("\nMI"), []byte("\n!!"), 1),
		"then damaged":  append(bytes.Clone(cert), cert[:len(cert)-20]...),
		"DER":           block.Bytes,
		"no DER inside": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1, 2, 3}}),
		"trailing DER":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: append(bytes.Clone(block.Bytes), 0)}),
		"headers":       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes, Headers: map[string]string{"a": "b"}}),
	} {
		if _, err := ParseCertificate(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseCertificate(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add(mldsaCertificate(f))
	f.Add(mldsaPublic(f))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (*x509.Certificate, error){ParseCertificate, ParseCertificateDER} {
			if cert, err := parse(data); err == nil {
				_ = CheckCertificate(cert, noon)
				_ = CertificateOf(cert, cert.PublicKey)
			}
		}
		if pub, err := ParsePublic(data); err == nil {
			if der, err := MarshalPublic(pub); err != nil || !bytes.Equal(der, data) {
				t.Fatalf("public key accepted in a second encoding: %x", data)
			}
		}
	})
}
