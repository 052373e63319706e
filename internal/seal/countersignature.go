package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/trustedbpf/tbpf/keys"
)

// CountersignatureType is the predicate type of a countersigner's statement.
const CountersignatureType = "https://github.com/trustedbpf/tbpf/countersignature/v1"

// Digest is a SHA-256.
type Digest [sha256.Size]byte

// Countersignature is a signature that was added to a seal after it was made.
// It is of a statement of its own, which Statement returns.
type Countersignature struct {
	Signature
	// Created is the time of signing that the countersigner claims, in seconds
	// since 1970.
	Created uint64
	// Kernel is set if the countersigner had the kernel signatures made anew:
	// it says whose they are.
	Kernel *KernelSigner
	// Certificates are the digests of the certificates that the countersigner
	// brings, ascending, but for Kernel's.
	Certificates []Digest
}

// KernelSigner is the key of kernel signatures and its certificate.
type KernelSigner struct {
	KeyID       keys.ID
	Certificate Digest
}

// Limits of a countersignature.
const (
	maxNamed   = 16           // certificates that one names
	maxCreated = 253402300799 // seconds since 1970: the end of the year 9999
)

// countersignatureHead is the size of a countersignature record before its
// lists: time, number of kernel signers, number of certificates.
const countersignatureHead = 8 + 1 + 1

// Statement is what the countersigner signs: an in-toto statement in JSON,
// made of the record's fields and of two digests that are computed, of the
// object and of the statement before it: the manifest's, or that of the
// countersignature that precedes this one. So there is nothing in it to parse,
// and it fits no other object and no other place.
func (c *Countersignature) Statement(object, before Digest) []byte {
	var b bytes.Buffer
	b.WriteString(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + hex.EncodeToString(object[:]) +
		`"}}],"predicateType":"` + CountersignatureType +
		`","predicate":{"statement":"` + hex.EncodeToString(before[:]) +
		`","keyId":"` + c.KeyID.String() +
		`","created":"` + c.Time().Format(time.RFC3339) + `"`)
	if k := c.Kernel; k != nil {
		b.WriteString(`,"kernelSigner":{"keyId":"` + k.KeyID.String() + `","certificate":"` + hex.EncodeToString(k.Certificate[:]) + `"}`)
	}
	for i := range c.Certificates {
		if i == 0 {
			b.WriteString(`,"certificates":["`)
		} else {
			b.WriteString(`","`)
		}
		b.WriteString(hex.EncodeToString(c.Certificates[i][:]))
	}
	if len(c.Certificates) != 0 {
		b.WriteString(`"]`)
	}
	b.WriteString("}}")
	return b.Bytes()
}

// Time is Created as a time.
func (c *Countersignature) Time() time.Time { return time.Unix(int64(c.Created), 0).UTC() }

func (c *Countersignature) check() error {
	switch {
	case c.Created > maxCreated:
		return malformed("a countersignature was made after the year 9999")
	case len(c.Certificates) > maxNamed:
		return malformed("a countersignature names %d certificates, %d are allowed", len(c.Certificates), maxNamed)
	}
	for i := range c.Certificates {
		if i > 0 && bytes.Compare(c.Certificates[i-1][:], c.Certificates[i][:]) >= 0 {
			return malformed("a countersignature names certificates out of order, or one twice")
		}
		if c.Kernel != nil && c.Certificates[i] == c.Kernel.Certificate {
			return malformed("a countersignature names the kernel signer's certificate twice")
		}
	}
	return c.Signature.check()
}

// head is the record's body before the signature.
func (c *Countersignature) head() []byte {
	b := binary.LittleEndian.AppendUint64(nil, c.Created)
	b = append(b, 0, byte(len(c.Certificates)))
	if k := c.Kernel; k != nil {
		b[8] = 1
		b = append(append(b, k.KeyID[:]...), k.Certificate[:]...)
	}
	for i := range c.Certificates {
		b = append(b, c.Certificates[i][:]...)
	}
	return b
}

func decodeCountersignature(body []byte) (Countersignature, error) {
	if len(body) < countersignatureHead {
		return Countersignature{}, malformed("a countersignature record of %d bytes is cut short", len(body))
	}
	c := Countersignature{Created: binary.LittleEndian.Uint64(body)}
	kernel, named := int(body[8]), int(body[9])
	body = body[countersignatureHead:]
	if kernel > 1 || named > maxNamed {
		return Countersignature{}, malformed("a countersignature with %d kernel signers and %d certificates: 1 and %d are allowed", kernel, named, maxNamed)
	}
	if len(body) < (2*kernel+named)*sha256.Size {
		return Countersignature{}, malformed("a countersignature record is cut short")
	}
	if kernel == 1 {
		c.Kernel = &KernelSigner{KeyID: keys.ID(body[:32]), Certificate: Digest(body[32:64])}
		body = body[64:]
	}
	for range named {
		c.Certificates = append(c.Certificates, Digest(body[:32]))
		body = body[32:]
	}
	var err error
	c.Signature, err = decodeSignature(body)
	return c, err
}

// Signers calls yield with every signature of the seal, those of the manifest
// first.
func (s *Seal) Signers(yield func(g *Signature) bool) {
	for i := range s.Signatures {
		if !yield(&s.Signatures[i]) {
			return
		}
	}
	for i := range s.Countersignatures {
		if !yield(&s.Countersignatures[i].Signature) {
			return
		}
	}
}

// Statements returns what each countersigner signs, in their order.
func (s *Seal) Statements(object Digest) [][]byte {
	out := make([][]byte, 0, len(s.Countersignatures))
	before := Digest(sha256.Sum256(s.Payload))
	for i := range s.Countersignatures {
		statement := s.Countersignatures[i].Statement(object, before)
		before = sha256.Sum256(statement)
		out = append(out, statement)
	}
	return out
}

// checkCountersignatures sees to it that one key signs once.
func (s *Seal) checkCountersignatures() error {
	if n := len(s.Signatures) + len(s.Countersignatures); n > MaxSignatures {
		return malformed("a seal has at most %d signatures and countersignatures, this one %d", MaxSignatures, n)
	}
	var ids []keys.ID
	for i := range s.Signatures {
		ids = append(ids, s.Signatures[i].KeyID)
	}
	for i := range s.Countersignatures {
		c := &s.Countersignatures[i]
		if err := c.check(); err != nil {
			return err
		}
		if slices.Contains(ids, c.KeyID) {
			return malformed("one key has two signatures")
		}
		ids = append(ids, c.KeyID)
	}
	return nil
}
