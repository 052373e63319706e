package strictjson

import (
	"reflect"
	"strings"
	"unicode"
)

// members keeps account of the fields of one object.
type members struct {
	shape *shape
	value reflect.Value   // that the fields are put into, if it is one
	seen  uint64          // a bit a field of a struct
	keys  map[string]bool // of a map, folded
	key   string          // of a map, the last one
}

// member notes a name and returns the shape of its value, and where to put it.
func (m *members) member(s *scanner, raw []byte) (*shape, reflect.Value, error) {
	var none reflect.Value
	if m.shape.kind == mapping {
		// Keys that differ only in case are one key to some readers.
		m.key = string(raw)
		folded := fold(m.key)
		if m.keys[folded] {
			return nil, none, s.fail("the field %q stands twice", clip(m.key))
		}
		if m.keys == nil {
			m.keys = make(map[string]bool)
		}
		m.keys[folded] = true
		if !m.value.IsValid() {
			return m.shape.elem, none, nil
		}
		return m.shape.elem, reflect.New(m.shape.goType.Elem()).Elem(), nil
	}
	i, known := m.shape.byName[string(raw)]
	if !known {
		return nil, none, s.fail("unknown field %q", clip(string(raw)))
	}
	if m.seen&(1<<i) != 0 {
		return nil, none, s.fail("the field %q stands twice", clip(string(raw)))
	}
	m.seen |= 1 << i
	f := &m.shape.fields[i]
	if !m.value.IsValid() {
		return f.shape, none, nil
	}
	return f.shape, m.value.Field(f.index), nil
}

// done takes the value of the last member: one of a map has to be put into it.
func (m *members) done(value reflect.Value) {
	if m.shape.kind == mapping && value.IsValid() {
		m.value.Interface().(map[string]string)[m.key] = value.String()
	}
}

// complete returns an error if a field is missing.
func (m *members) complete(s *scanner) error {
	for i := range m.shape.fields {
		if f := &m.shape.fields[i]; !f.optional && m.seen&(1<<i) == 0 {
			return s.fail("the field %q is missing", f.name)
		}
	}
	return nil
}

// fold maps names that differ only in case to one: every rune becomes the
// least of those that Unicode folds together.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}

// clip keeps a foreign name short in an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}
