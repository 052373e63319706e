package revocation

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/keys"
)

// MaxSize bounds a list's file, in bytes.
const MaxSize = 2 << 20

// File is a list with its signatures, as it is kept: a DSSE envelope in JSON
// whose key ids are those of package keys.
type File struct {
	Payload    []byte // what the signatures cover; Decode reads it
	Signatures []Signature
}

// Signature is one signature of a list. Nothing of it was checked.
type Signature struct {
	KeyID keys.ID
	Value []byte
}

// Parse reads a list's file without looking at what the signatures cover.
func Parse(data []byte) (*File, error) {
	if len(data) > MaxSize {
		return nil, malformed("%d bytes, %d are allowed", len(data), MaxSize)
	}
	e, err := dsse.Parse(data)
	if err != nil {
		return nil, malformed("%v", err)
	}
	if e.PayloadType != PayloadType {
		return nil, malformed("its payload type is %.100q", e.PayloadType)
	}
	f := &File{Payload: e.Payload}
	for _, s := range e.Signatures {
		if !isDigest(s.KeyID) {
			return nil, malformed("the key id %.80q is none: it is the SHA-256 of the key, in lower-case hex", s.KeyID)
		}
		raw, err := hex.DecodeString(s.KeyID)
		if err != nil {
			return nil, malformed("%v", err)
		}
		id := keys.ID(raw)
		for _, other := range f.Signatures {
			if other.KeyID == id {
				return nil, malformed("the key %v signed it twice", id)
			}
		}
		f.Signatures = append(f.Signatures, Signature{KeyID: id, Value: s.Value})
	}
	return f, nil
}

// Decode reads the list. Call it only after the signatures were checked, or
// where nothing is done with the result but showing it.
func (f *File) Decode() (*List, error) { return decode(f.Payload) }

// Marshal returns the file.
func (f *File) Marshal() ([]byte, error) {
	e := &dsse.Envelope{PayloadType: PayloadType, Payload: f.Payload}
	for _, s := range f.Signatures {
		e.Signatures = append(e.Signatures, dsse.Signature{KeyID: s.KeyID.String(), Value: s.Value})
	}
	return e.Marshal()
}

// Message is what each signature is of.
func (f *File) Message() []byte { return dsse.PAE(PayloadType, f.Payload) }

// Check returns nil if the signature is the key's.
func (f *File) Check(s Signature, key *keys.TrustedKey, checker keys.Checker) error {
	alg, err := key.Algorithm()
	if err != nil {
		return err
	}
	return checker.VerifyAnyS(key.Public, alg, f.Message(), s.Value)
}

// Digest is that of what was signed: two lists with one serial number differ in
// it.
func (f *File) Digest() [sha256.Size]byte { return sha256.Sum256(f.Payload) }
