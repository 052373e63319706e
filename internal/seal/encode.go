package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Key forms in a signature record.
const (
	keySPKI        = 1
	keyCertificate = 2
)

// signatureHead is the size of a signature record before its key: key id,
// algorithm, key form, length of the key.
const signatureHead = 32 + 1 + 1 + 2

// loaderHead is the size of a loader record before its CMS: profile, length of
// the CMS.
const loaderHead = 1 + 2

// Encode returns the seal with its footer. It sorts signatures, certificates
// and loader programs and leaves a certificate's record out where a signature
// embeds the same one; the receiver stays as it is. The error is a
// *MalformedError.
func (s *Seal) Encode() ([]byte, error) {
	c := *s
	c.Signatures = slices.Clone(s.Signatures)
	slices.SortStableFunc(c.Signatures, func(a, b Signature) int { return bytes.Compare(a.KeyID[:], b.KeyID[:]) })
	c.Loaders = slices.Clone(s.Loaders)
	slices.SortStableFunc(c.Loaders, func(a, b Loader) int { return int(a.Profile) - int(b.Profile) })
	c.Certificates = slices.Clone(s.Certificates)
	for g := range s.Signers {
		c.Certificates = slices.DeleteFunc(c.Certificates, func(der []byte) bool { return g.Certificate != nil && bytes.Equal(der, g.Certificate) })
	}
	slices.SortFunc(c.Certificates, bytes.Compare)
	if err := c.check(); err != nil {
		return nil, err
	}
	return c.append(make([]byte, 0, c.size())), nil
}

// size is an upper bound of the encoded size.
func (s *Seal) size() int {
	n := footerSize + 2*recordHeader + len(s.Payload) + len(s.Metadata)
	for _, c := range s.Certificates {
		n += recordHeader + len(c)
	}
	for g := range s.Signers {
		n += recordHeader + signatureHead + len(g.Certificate) + len(g.PublicKey) + len(g.Value)
	}
	for i := range s.Countersignatures {
		n += countersignatureHead + sha256.Size*(2+len(s.Countersignatures[i].Certificates))
	}
	for i := range s.Loaders {
		n += recordHeader + loaderHead + len(s.Loaders[i].CMS) + len(s.Loaders[i].Instructions)
	}
	return n
}

func (s *Seal) append(b []byte) []byte {
	b = appendRecord(b, recordStatement, s.Payload)
	for i := range s.Signatures {
		g := &s.Signatures[i]
		head, key := g.head()
		b = appendRecord(b, recordSignature, head, key, g.Value)
	}
	for _, c := range s.Certificates {
		b = appendRecord(b, recordCertificate, c)
	}
	b = appendRecord(b, recordMetadata, s.Metadata)
	for i := range s.Loaders {
		l := &s.Loaders[i]
		head := binary.LittleEndian.AppendUint16([]byte{byte(l.Profile)}, uint16(len(l.CMS)))
		b = appendRecord(b, recordLoader, head, l.CMS, l.Instructions)
	}
	for i := range s.Countersignatures {
		c := &s.Countersignatures[i]
		head, key := c.Signature.head()
		b = appendRecord(b, recordCountersignature, c.head(), head, key, c.Value)
	}
	return appendFooter(b, len(b))
}

// head is a signature record's body before its key, and the key.
func (g *Signature) head() (head, key []byte) {
	form, key := byte(keySPKI), g.PublicKey
	if g.Certificate != nil {
		form, key = keyCertificate, g.Certificate
	}
	head = append(g.KeyID[:], byte(g.Algorithm), form)
	return binary.LittleEndian.AppendUint16(head, uint16(len(key))), key
}
