package keys

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
)

// A certificate's subject is told as RFC 4514 has it, and as Go has it where
// the attributes are in the usual order.
func TestSubjects(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	for _, c := range []struct {
		name pkix.Name
		want string
	}{
		{pkix.Name{}, ""},
		{pkix.Name{CommonName: "release"}, "CN=release"},
		{pkix.Name{CommonName: "release", Organization: []string{"Example"}, Country: []string{"DE"}}, "CN=release,O=Example,C=DE"},
		{pkix.Name{CommonName: `a,b+c"d\e<f>g;h`, SerialNumber: "7"}, `SERIALNUMBER=7,CN=a\,b\+c\"d\\e\<f\>g\;h`},
		{pkix.Name{CommonName: " #a# "}, `CN=\ #a#\ `},
		{pkix.Name{CommonName: "#a"}, `CN=\#a`},
		{pkix.Name{CommonName: "ä\u202ex"}, "CN=ä\u202ex"},
		{pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 3}, Value: "x"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "y"}}}, "CN=y,1.2.3=x"},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: c.name}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got := SubjectOf(cert); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if len(c.name.ExtraNames) == 0 && cert.Subject.String() != c.want {
			t.Errorf("Go says %q, this says %q", cert.Subject.String(), c.want)
		}
	}
}
