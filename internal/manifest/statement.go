package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/strictjson"
)

// MaxSize bounds an encoded statement, in bytes.
const MaxSize = 4 << 20

// statement is an in-toto Statement v1 as JSON has it.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Manifest  `json:"predicate"`
}

type subject struct {
	Name   string `json:"name"`
	Digest digest `json:"digest"`
}

type digest struct {
	SHA256 string `json:"sha256"`
}

// Encode returns the statement that is signed. The same manifest gives the
// same bytes. It refuses what Decode would refuse.
func Encode(m *Manifest) ([]byte, error) {
	c := *m
	c.fillLists()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(statement{
		Type:          StatementType,
		Subject:       []subject{{Name: c.Object.Name, Digest: digest{SHA256: c.Object.SHA256}}},
		PredicateType: PredicateType,
		Predicate:     c,
	}); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > MaxSize {
		return nil, fmt.Errorf("encode manifest: %d bytes, %d are allowed", len(out), MaxSize)
	}
	return out, nil
}

// Decode reads a statement. Call it only with bytes whose signature was
// checked, or where nothing is done with the result but showing it.
func Decode(data []byte) (*Manifest, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("parse manifest: %d bytes, %d are allowed", len(data), MaxSize)
	}
	var s statement
	if err := strictjson.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	switch {
	case s.Type != StatementType:
		return nil, fmt.Errorf("parse manifest: statement type %q is not %q", s.Type, StatementType)
	case s.PredicateType != PredicateType:
		return nil, fmt.Errorf("parse manifest: predicate type %q is not %q", s.PredicateType, PredicateType)
	case len(s.Subject) != 1:
		return nil, fmt.Errorf("parse manifest: the statement has %d subjects, one object is signed at a time", len(s.Subject))
	}
	m := &s.Predicate
	m.Object = Object{Name: s.Subject[0].Name, SHA256: s.Subject[0].Digest.SHA256}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	return m, nil
}

// fillLists replaces the nil lists that are always written by empty ones:
// null is not a list to a strict reader.
func (m *Manifest) fillLists() {
	if m.Programs == nil {
		m.Programs = []Program{}
	}
	if m.Maps == nil {
		m.Maps = []Map{}
	}
	if m.Globals == nil {
		m.Globals = []Global{}
	}
	if m.Symbols == nil {
		m.Symbols = []Symbol{}
	}
	if m.Capabilities == nil {
		m.Capabilities = []string{}
	}
	d := &m.Delegation
	for _, list := range []*[]string{&d.Commands, &d.Maps, &d.Programs, &d.AttachTypes} {
		if *list == nil {
			*list = []string{}
		}
	}
}
