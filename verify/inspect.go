package verify

import (
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
)

// Unverified is what a file says of itself. Anyone can have written it.
type Unverified struct {
	Object   []byte
	Seal     *seal.Seal
	Manifest *manifest.Manifest
	// ObjectMatches tells whether the object has the manifest's digest. It does
	// not make anything verified.
	ObjectMatches bool
}

// Inspect reads a sealed object, or an object with a detached seal, and
// checks NO signature and NO digest. It is for showing a file to a person;
// nothing that it returns may be acted on. detached is as Options.Seal.
//
// The error is always an *Error: NoSeal, MalformedSeal or MalformedManifest.
func Inspect(file, detached []byte) (*Unverified, error) {
	object, s, refusal := open(file, detached)
	if refusal != nil {
		return nil, refusal
	}
	m, err := manifest.Decode(s.Payload)
	if err != nil {
		return nil, refuseErr(MalformedManifest, err)
	}
	return &Unverified{Object: object, Seal: s, Manifest: m,
		ObjectMatches: uint64(len(object)) == m.ObjectSize && digestOf(object) == m.Object.SHA256}, nil
}
