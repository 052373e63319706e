package strictjson

import (
	"bytes"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// scanner walks a JSON text along a shape: once to refuse, once more to read.
type scanner struct {
	data  []byte
	pos   int
	depth int
}

func (s *scanner) fail(format string, args ...any) error {
	return &Error{Offset: s.pos, What: fmt.Sprintf(format, args...)}
}

func (s *scanner) document(want *shape, v reflect.Value) error {
	if bytes.HasPrefix(s.data, []byte("\xef\xbb\xbf")) {
		return s.fail("it begins with a byte order mark")
	}
	if err := s.value(want, v); err != nil {
		return err
	}
	if s.space(); s.pos != len(s.data) {
		return s.fail("something follows the value")
	}
	return nil
}

// space passes over white space (RFC 8259 section 2).
func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// take passes over the byte c after white space and reports whether it is there.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// value passes over one value, and puts it into v if v is one.
func (s *scanner) value(want *shape, v reflect.Value) error {
	s.space()
	start := s.pos
	v = target(v)
	switch want.kind {
	case text:
		said, err := s.text()
		if err != nil {
			return err
		}
		return s.setText(v, said, s.data[start:s.pos])
	case structure, mapping:
		return s.object(want, v)
	case list:
		return s.array(want, v)
	case boolean:
		err := s.boolean()
		if err == nil && v.IsValid() {
			v.SetBool(s.data[start] == 't')
		}
		return err
	case integer:
		if err := s.integer(); err != nil {
			return err
		}
		return s.setInteger(v, string(s.data[start:s.pos]))
	default:
		return s.fail("the Go type %v is not supported", want.goType)
	}
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > MaxDepth {
		return s.fail("nested deeper than %d", MaxDepth)
	}
	return nil
}

func (s *scanner) array(want *shape, v reflect.Value) error {
	if !s.take('[') {
		return s.fail("not an array")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if v.IsValid() {
		v.Set(reflect.MakeSlice(want.goType, 0, 0))
	}
	if s.take(']') {
		return nil
	}
	for {
		if err := s.value(want.elem, next(v)); err != nil {
			return err
		}
		switch {
		case s.take(']'):
			return nil
		case !s.take(','):
			return s.fail("neither comma nor end of the array")
		}
	}
}

func (s *scanner) object(want *shape, v reflect.Value) error {
	if !s.take('{') {
		return s.fail("not an object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	m := members{shape: want, value: v}
	if want.kind == mapping && v.IsValid() {
		v.Set(reflect.MakeMap(want.goType))
	}
	if s.take('}') {
		return m.complete(s)
	}
	for {
		s.space()
		name, err := s.text()
		if err != nil {
			return err
		}
		elem, value, err := m.member(s, name)
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.fail("no colon after the name of a field")
		}
		if err := s.value(elem, value); err != nil {
			return err
		}
		m.done(value)
		switch {
		case s.take('}'):
			return m.complete(s)
		case !s.take(','):
			return s.fail("neither comma nor end of the object")
		}
	}
}

func (s *scanner) boolean() error {
	for _, word := range []string{"true", "false"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
			s.pos += len(word)
			return nil
		}
	}
	return s.fail("not a boolean")
}

// integer takes what has one spelling: no fraction, exponent, plus, leading
// zero or negative zero. Its range is a matter of the value that it is put into.
func (s *scanner) integer() error {
	start := s.pos
	if s.pos < len(s.data) && s.data[s.pos] == '-' {
		s.pos++
	}
	digits := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	if s.pos == digits || s.pos-digits > 20 {
		return s.fail("not an integer")
	}
	if s.data[digits] == '0' && (s.pos-digits > 1 || digits > start) {
		return s.fail("not an integer in plain digits")
	}
	return nil
}

// text passes over a string and returns what it says. The result aliases the
// input unless it has escapes.
func (s *scanner) text() ([]byte, error) {
	if s.pos >= len(s.data) || s.data[s.pos] != '"' {
		return nil, s.fail("not a string")
	}
	start, escaped := s.pos, false
	s.pos++
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			inside := s.data[start+1 : s.pos-1]
			if escaped {
				inside = unescape(inside)
			}
			return inside, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < 0x20:
			return nil, s.fail("a control character in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, n := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && n <= 1 {
				return nil, s.fail("invalid UTF-8")
			}
			s.pos += n
		}
	}
	return nil, s.fail("a string without end")
}

// escape passes over one escape; a high surrogate takes its low one with it.
func (s *scanner) escape() error {
	s.pos++
	if s.pos >= len(s.data) {
		return s.fail("a string without end")
	}
	c := s.data[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
	default:
		return s.fail("an escape that JSON does not have")
	}
	high, err := s.hex4()
	if err != nil || high < 0xd800 || high > 0xdfff {
		return err
	}
	if high > 0xdbff || !bytes.HasPrefix(s.data[s.pos:], []byte(`\u`)) {
		return s.fail("a lone surrogate")
	}
	s.pos += 2
	low, err := s.hex4()
	if err != nil {
		return err
	}
	if low < 0xdc00 || low > 0xdfff {
		return s.fail("a lone surrogate")
	}
	return nil
}

func (s *scanner) hex4() (rune, error) {
	if len(s.data)-s.pos < 4 {
		return 0, s.fail("an escape that is cut short")
	}
	for _, c := range s.data[s.pos : s.pos+4] {
		if hexDigit(c) < 0 {
			return 0, s.fail("an escape with digits that are not hex")
		}
	}
	r := hexRune(s.data[s.pos:])
	s.pos += 4
	return r, nil
}
