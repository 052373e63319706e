// Package seal is the container that a signature travels in: length-framed
// records and a footer, appended to an object or in a file of their own.
// docs/format.md specifies it byte by byte.
//
// It guarantees that a seal has exactly one encoding: what Decode accepts,
// Encode gives back bit for bit. Unknown records, records out of order, sizes
// over the limits and bytes that belong to nothing are errors. Decode
// allocates a few hundred bytes whatever it is given: its results alias the
// input. It looks at form only and checks no signature; package verify does.
//
// sign, verify and the command line import it. It imports bpfabi and keys and
// nothing else of tbpf.
package seal

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/keys"
)

// Limits, in bytes unless they say otherwise. They are part of the format: a
// seal beyond one of them is malformed.
const (
	MaxObject       = 64 << 20
	MaxStatement    = 4 << 20
	MaxSignatures   = 16 // signatures and countersignatures in one seal
	MaxPublicKey    = 4096
	MaxCertificate  = 16 << 10
	maxCertificates = 16 // in records of their own
	MaxSignature    = 8192
	MaxCMS          = 8192    // what BPF_PROG_LOAD takes as signature_size
	MaxLoader       = 8000000 // a million instructions, as the kernel's verifier takes them
	MaxSigned       = 1<<24 - 1
	MinMetadata     = 8
	minLoader       = 16 // a jump and an exit
)

// maxSeal bounds the records of a seal; it is above the sum of what the limits
// of the single records allow.
const maxSeal = 64 << 20

// Seal is what is appended to an object.
type Seal struct {
	// Payload is the manifest as an in-toto statement: the bytes that were
	// signed.
	Payload []byte
	// Signatures of the payload, in the order of their key ids.
	Signatures []Signature
	// Certificates, in DER, that no signature embeds, ascending as bytes: of
	// the key that made the kernel signatures, above all. Encode sorts them and
	// leaves those out that a signature embeds: EmbeddedCertificates has all.
	Certificates [][]byte
	// Metadata is the one map that every loader program works on.
	Metadata []byte
	// Loaders are the loader programs, strongest profile first.
	Loaders []Loader
	// Countersignatures, in the order in which they were made.
	Countersignatures []Countersignature
}

// Signature is one signature of the payload (DSSE).
type Signature struct {
	KeyID     keys.ID
	Algorithm keys.Algorithm
	// Exactly one of the two is set: the signer's certificate in DER, or the
	// SubjectPublicKeyInfo in DER.
	Certificate []byte
	PublicKey   []byte
	Value       []byte
}

// Loader is the loader program of one profile.
type Loader struct {
	Profile      bpfabi.Profile
	Instructions []byte
	CMS          []byte // the kernel's signature; nil if there is none
}

// ErrUnsigned says that there is no seal: the magic at the end is absent.
var ErrUnsigned = errors.New("no seal")

// MalformedError says that there is a seal and that it is not one of the
// format, or that it cannot be encoded because it would not be one.
type MalformedError struct {
	What string // the rule that is broken
}

func (e *MalformedError) Error() string { return "malformed seal: " + e.What }

func malformed(format string, args ...any) error {
	return &MalformedError{What: fmt.Sprintf(format, args...)}
}

// EmbeddedCertificates calls yield with every certificate in the seal. No two
// of them are equal.
func (s *Seal) EmbeddedCertificates(yield func(der []byte) bool) {
	for g := range s.Signers {
		if g.Certificate != nil && !yield(g.Certificate) {
			return
		}
	}
	for _, c := range s.Certificates {
		if !yield(c) {
			return
		}
	}
}

// Key returns the key that a signature brings, in its certificate or bare. It is
// nobody's for being here.
func (g *Signature) Key() (crypto.PublicKey, error) {
	if g.Certificate == nil {
		return keys.ParsePublic(g.PublicKey)
	}
	cert, err := keys.ParseCertificateDER(g.Certificate)
	if err != nil {
		return nil, err
	}
	return cert.PublicKey, nil
}
