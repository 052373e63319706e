package keys

import (
	"crypto/x509"
	"encoding/asn1"
	"strings"
)

// SubjectOf is a certificate's subject as a string (RFC 4514): the last
// attribute first, "CN=release,O=Example". It is untrusted text: escape what is
// printed of it. (pkix.Name has the like. It brings an encoder of ASN.1 for
// values that are no strings, which x509 does not read, and 60 kB with it.)
func SubjectOf(cert *x509.Certificate) string {
	names := cert.Subject.Names
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(attributeName(names[i].Type))
		b.WriteByte('=')
		value, _ := names[i].Value.(string)
		writeValue(&b, value)
	}
	return b.String()
}

// attributeName is the short name of RFC 4514 section 3, or the number in dots.
func attributeName(oid asn1.ObjectIdentifier) string {
	if len(oid) == 4 && oid[0] == 2 && oid[1] == 5 && oid[2] == 4 {
		switch oid[3] {
		case 3:
			return "CN"
		case 5:
			return "SERIALNUMBER"
		case 6:
			return "C"
		case 7:
			return "L"
		case 8:
			return "ST"
		case 9:
			return "STREET"
		case 10:
			return "O"
		case 11:
			return "OU"
		case 17:
			return "POSTALCODE"
		}
	}
	return oid.String()
}

// writeValue escapes what would end or change an attribute (RFC 4514 section
// 2.4).
func writeValue(b *strings.Builder, value string) {
	for i, r := range value {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case strings.ContainsRune(`,+"\<>;`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(value)-1):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
}
