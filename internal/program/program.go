// Package program is the signed statement about a program file, such as the
// trusted loader's: which file it is, by two digests, and its version.
// docs/sign-loader.md specifies it.
//
// It guarantees that a statement cannot be mistaken for that of an object, nor
// the other way round: both are in-toto statements, and their predicate types
// differ. It does not say who may sign one: package verify does.
//
// sign, verify and the command line import it. It imports dsse, keys, manifest,
// fsverity and strictjson.
package program

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/fsverity"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/strictjson"
	"github.com/trustedbpf/tbpf/keys"
)

// PredicateType is that of a program's statement, fixed in docs/sign-loader.md.
const PredicateType = "https://github.com/trustedbpf/tbpf/program/v1"

// MaxSize bounds an envelope, in bytes.
const MaxSize = 64 << 10

// Statement is what is said of a program file.
type Statement struct {
	Name     string    // of the file, without a directory
	SHA256   string    // hex
	FSVerity string    // the fs-verity digest: SHA-256, blocks of 4096 bytes, no salt; hex
	Version  uint64    // 0: none
	Size     uint64    // bytes
	Created  time.Time // what the signer says; UTC, whole seconds
}

type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string `json:"name"`
	Digest struct {
		SHA256   string `json:"sha256"`
		FSVerity string `json:"fsverity-sha256"`
	} `json:"digest"`
}

type predicate struct {
	Version uint64    `json:"version"`
	Size    uint64    `json:"size"`
	Created time.Time `json:"created"`
}

// Describe says what a file is.
func Describe(name string, file []byte, version uint64, created time.Time) (*Statement, error) {
	verity, err := fsverity.Digest(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	plain := sha256.Sum256(file)
	return &Statement{Name: name, SHA256: hex.EncodeToString(plain[:]), FSVerity: hex.EncodeToString(verity[:]),
		Version: version, Size: uint64(len(file)), Created: created.UTC().Truncate(time.Second)}, nil
}

// Encode returns the payload that is signed. The same statement gives the same
// bytes.
func (s *Statement) Encode() ([]byte, error) {
	if err := manifest.CheckName(s.Name); err != nil {
		return nil, err
	}
	one := subject{Name: s.Name}
	one.Digest.SHA256, one.Digest.FSVerity = s.SHA256, s.FSVerity
	b, err := json.Marshal(statement{Type: manifest.StatementType, Subject: []subject{one}, PredicateType: PredicateType,
		Predicate: predicate{s.Version, s.Size, s.Created}})
	if err != nil {
		return nil, fmt.Errorf("encode statement: %w", err)
	}
	return b, nil
}

// decode reads a payload, and takes only what Encode makes.
func decode(data []byte) (*Statement, error) {
	var in statement
	if err := strictjson.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("parse statement: %w", err)
	}
	switch {
	case in.Type != manifest.StatementType:
		return nil, fmt.Errorf("parse statement: its type %.100q is not %q", in.Type, manifest.StatementType)
	case in.PredicateType != PredicateType:
		return nil, fmt.Errorf("parse statement: it is not about a program: its predicate type is %.100q and not %q", in.PredicateType, PredicateType)
	case len(in.Subject) != 1:
		return nil, fmt.Errorf("parse statement: it has %d subjects, and not one", len(in.Subject))
	}
	one := in.Subject[0]
	s := &Statement{Name: one.Name, SHA256: one.Digest.SHA256, FSVerity: one.Digest.FSVerity,
		Version: in.Predicate.Version, Size: in.Predicate.Size, Created: in.Predicate.Created}
	again, err := s.Encode()
	if err != nil {
		return nil, fmt.Errorf("parse statement: %w", err)
	}
	if !bytes.Equal(again, data) {
		return nil, fmt.Errorf("parse statement: it is not in its one encoding")
	}
	return s, nil
}

// Envelope is a statement with its signatures: a DSSE envelope in JSON, whose
// key ids are those of package keys. Nothing of it was checked.
type Envelope struct {
	Payload    []byte
	Signatures []Signature
}

// Signature is one signature of a statement.
type Signature struct {
	KeyID keys.ID
	Value []byte
}

// Parse reads an envelope without looking at what the signatures cover.
func Parse(data []byte) (*Envelope, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%d bytes, %d are allowed", len(data), MaxSize)
	}
	in, err := dsse.Parse(data)
	if err != nil {
		return nil, err
	}
	if in.PayloadType != manifest.PayloadType {
		return nil, fmt.Errorf("its payload type is %.100q and not %q", in.PayloadType, manifest.PayloadType)
	}
	e := &Envelope{Payload: in.Payload}
	seen := make(map[keys.ID]bool)
	for _, g := range in.Signatures {
		raw, err := hex.DecodeString(g.KeyID)
		if err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != g.KeyID {
			return nil, fmt.Errorf("the key id %.80q is none: it is the SHA-256 of the key, in lower-case hex", g.KeyID)
		}
		id := keys.ID(raw)
		if seen[id] {
			return nil, fmt.Errorf("the key %v signed it twice", id)
		}
		seen[id] = true
		e.Signatures = append(e.Signatures, Signature{id, g.Value})
	}
	return e, nil
}

// Marshal returns the envelope as it is kept.
func (e *Envelope) Marshal() ([]byte, error) {
	out := &dsse.Envelope{PayloadType: manifest.PayloadType, Payload: e.Payload}
	for _, g := range e.Signatures {
		out.Signatures = append(out.Signatures, dsse.Signature{KeyID: g.KeyID.String(), Value: g.Value})
	}
	return out.Marshal()
}

// Message is what each signature is of.
func (e *Envelope) Message() []byte { return dsse.PAE(manifest.PayloadType, e.Payload) }

// Decode reads the statement. Call it only after the signatures were checked.
func (e *Envelope) Decode() (*Statement, error) { return decode(e.Payload) }
