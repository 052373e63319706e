package keys

import (
	"bytes"
	"crypto/x509"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Tags of GeneralName (RFC 5280 section 4.2.1.6).
const (
	tagEmail     = 1
	tagDirectory = 4
)

// constraints are the name constraints of a CA.
type constraints struct {
	permitted [][]byte // of directory names: each a Name's RDNs in DER
	kinds     [9]bool  // of names, by tag, that are constrained at all
}

// checkNames holds the names of the certificates beneath a CA against its name
// constraints (RFC 5280 section 4.2.1.10). Directory names are compared byte for
// byte with those that are permitted. Excluded ones are not taken at all: there
// a name in another spelling would get through. A name of another kind that is
// constrained is refused, whatever it is: a signer of code needs none.
// Self-issued certificates are no exception.
func checkNames(ca *x509.Certificate, below []*x509.Certificate) error {
	value, critical := extension(ca, 30)
	if value == nil {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return &CertificateError{Reason: CertificateConstraints, Detail: fmt.Sprintf("the CA %q has name constraints: ", SubjectOf(ca)) + fmt.Sprintf(format, args...)}
	}
	if !critical {
		return refuse("they are not critical, which they have to be")
	}
	c, ok := parseConstraints(value)
	if !ok {
		return refuse("they cannot be read")
	}
	for _, cert := range below {
		if !c.allowsDirectory(cert.RawSubject) {
			return refuse("%q is not a name that it may give", SubjectOf(cert))
		}
		if c.kinds[tagEmail] && bytes.Contains(cert.RawSubject, oidEmailAddress()) {
			return refuse("a subject with an email address is not taken beneath them")
		}
		names, _ := extension(cert, 17)
		kind, ok := firstConstrained(names, &c)
		if !ok {
			return refuse("the subject's other names cannot be read")
		}
		if kind >= 0 {
			return refuse("a name of kind %d is not taken beneath them", kind)
		}
	}
	return nil
}

// extension returns the value of a certificate's extension id-ce n, nil if it
// has none.
func extension(cert *x509.Certificate, n int) (value []byte, critical bool) {
	for _, e := range cert.Extensions {
		if len(e.Id) == 4 && e.Id[0] == 2 && e.Id[1] == 5 && e.Id[2] == 29 && e.Id[3] == n {
			return e.Value, e.Critical
		}
	}
	return nil, false
}

// parseConstraints reads a NameConstraints. There is no minimum and no maximum in
// it (RFC 5280 forbids others than the defaults).
func parseConstraints(der []byte) (c constraints, ok bool) {
	var all, subtrees cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&all, asn1.SEQUENCE) || !in.Empty() || all.Empty() {
		return c, false
	}
	for i := range 2 { // permitted, excluded
		var present bool
		if !all.ReadOptionalASN1(&subtrees, &present, asn1.Tag(i).Constructed().ContextSpecific()) {
			return c, false
		}
		if present && subtrees.Empty() {
			return c, false
		}
		for present && !subtrees.Empty() {
			var subtree, base cryptobyte.String
			var tag asn1.Tag
			if !subtrees.ReadASN1(&subtree, asn1.SEQUENCE) || !subtree.ReadAnyASN1(&base, &tag) || !subtree.Empty() {
				return c, false
			}
			kind := int(tag & 0x1f)
			if tag&0xc0 != 0x80 || kind >= len(c.kinds) {
				return c, false
			}
			if kind != tagDirectory {
				c.kinds[kind] = true
				continue
			}
			var name cryptobyte.String // [4] is explicit: Name is a CHOICE
			if !base.ReadASN1(&name, asn1.SEQUENCE) || !base.Empty() {
				return c, false
			}
			if i == 1 {
				return c, false
			}
			c.kinds[kind] = true
			c.permitted = append(c.permitted, name)
		}
	}
	return c, all.Empty()
}

// allowsDirectory asks whether a subject may be given. A name lies in a subtree
// if it begins with the subtree's RDNs, byte for byte.
func (c *constraints) allowsDirectory(subject []byte) bool {
	var rdns cryptobyte.String
	in := cryptobyte.String(subject)
	if !in.ReadASN1(&rdns, asn1.SEQUENCE) || !in.Empty() {
		return false
	}
	for _, base := range c.permitted {
		if beginsWith(rdns, base) {
			return true
		}
	}
	return len(c.permitted) == 0
}

// beginsWith compares RDN by RDN, so that no RDN is compared in part.
func beginsWith(rdns, base cryptobyte.String) bool {
	for !base.Empty() {
		var want, have cryptobyte.String
		if !base.ReadASN1Element(&want, asn1.SET) || !rdns.ReadASN1Element(&have, asn1.SET) || !bytes.Equal(want, have) {
			return false
		}
	}
	return true
}

// firstConstrained returns the kind of the first of a certificate's other names
// that is constrained, -1 if there is none.
func firstConstrained(der []byte, c *constraints) (kind int, ok bool) {
	if der == nil {
		return -1, true
	}
	var names cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&names, asn1.SEQUENCE) || !in.Empty() {
		return -1, false
	}
	for !names.Empty() {
		var name cryptobyte.String
		var tag asn1.Tag
		if !names.ReadAnyASN1(&name, &tag) || tag&0xc0 != 0x80 || int(tag&0x1f) >= len(c.kinds) {
			return -1, false
		}
		if kind := int(tag & 0x1f); c.kinds[kind] {
			return kind, true
		}
	}
	return -1, true
}

// oidEmailAddress is pkcs-9-at-emailAddress in DER.
func oidEmailAddress() []byte {
	return []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01}
}
