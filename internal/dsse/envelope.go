package dsse

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/strictjson"
)

// MaxEnvelope bounds what Parse reads, in bytes: a manifest of the greatest
// size in base64, and signatures.
const MaxEnvelope = 8 << 20

// maxSignatures is the number of signatures that Parse takes.
const maxSignatures = 16

// Envelope is a payload with its signatures.
type Envelope struct {
	PayloadType string
	Payload     []byte
	Signatures  []Signature
}

// Signature is one signature of PAE(PayloadType, Payload).
type Signature struct {
	// KeyID is a hint that nothing protects. tbpf writes it empty: cosign
	// compares one that is there with an SSH fingerprint of its key, and
	// passes over a signature whose id differs
	// (go-securesystemslib v0.11.1, dsse/verify.go).
	KeyID string
	Value []byte
}

type envelopeJSON struct {
	PayloadType string          `json:"payloadType"`
	Payload     string          `json:"payload"`
	Signatures  []signatureJSON `json:"signatures"`
}

type signatureJSON struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   string `json:"sig"`
}

// Marshal returns the envelope as JSON in one line, with a newline.
func (e *Envelope) Marshal() ([]byte, error) {
	out := envelopeJSON{
		PayloadType: e.PayloadType,
		Payload:     base64.StdEncoding.EncodeToString(e.Payload),
		Signatures:  make([]signatureJSON, 0, len(e.Signatures)),
	}
	for _, s := range e.Signatures {
		out.Signatures = append(out.Signatures, signatureJSON{KeyID: s.KeyID, Sig: base64.StdEncoding.EncodeToString(s.Value)})
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return append(b, '\n'), nil
}

// Parse reads an envelope, such as cosign writes. It is strict: unknown and
// duplicate fields, base64 other than the standard alphabet with padding, and
// an envelope without signatures are errors.
func Parse(data []byte) (*Envelope, error) {
	if len(data) > MaxEnvelope {
		return nil, fmt.Errorf("parse envelope: %d bytes, %d are allowed", len(data), MaxEnvelope)
	}
	var in envelopeJSON
	if err := strictjson.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("parse envelope: %w", err)
	}
	if n := len(in.Signatures); n == 0 || n > maxSignatures {
		return nil, fmt.Errorf("parse envelope: it has %d signatures, 1 to %d are allowed", n, maxSignatures)
	}
	e := &Envelope{PayloadType: in.PayloadType}
	var err error
	if e.Payload, err = decodeBase64(in.Payload); err != nil {
		return nil, fmt.Errorf("parse envelope: payload: %w", err)
	}
	for i, s := range in.Signatures {
		value, err := decodeBase64(s.Sig)
		if err != nil {
			return nil, fmt.Errorf("parse envelope: signature %d: %w", i, err)
		}
		if len(value) == 0 {
			return nil, fmt.Errorf("parse envelope: signature %d is empty", i)
		}
		e.Signatures = append(e.Signatures, Signature{KeyID: s.KeyID, Value: value})
	}
	return e, nil
}

// decodeBase64 takes the one encoding that there is. encoding/base64 passes
// over newlines, also in strict mode.
func decodeBase64(s string) ([]byte, error) {
	for i := range len(s) {
		if s[i] == '\n' || s[i] == '\r' {
			return nil, fmt.Errorf("base64 with line breaks")
		}
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}
