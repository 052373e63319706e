package strictjson

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// target is what a value is put into: what a pointer points to.
func target(v reflect.Value) reflect.Value {
	if v.IsValid() && v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return v.Elem()
	}
	return v
}

// next is the place of a list's next element.
func next(v reflect.Value) reflect.Value {
	if !v.IsValid() {
		return v
	}
	n := v.Len()
	v.Grow(1)
	v.SetLen(n + 1)
	return v.Index(n)
}

// setText puts in what a string says; raw is the string in its quotes.
func (s *scanner) setText(v reflect.Value, said, raw []byte) error {
	if !v.IsValid() {
		return nil
	}
	if u, ok := v.Addr().Interface().(unmarshaler); ok {
		if err := u.UnmarshalJSON(raw); err != nil {
			return s.fail("%v", err)
		}
		return nil
	}
	v.SetString(string(said))
	return nil
}

// setInteger puts in a number that has only digits and a sign.
func (s *scanner) setInteger(v reflect.Value, digits string) error {
	if !v.IsValid() {
		return nil
	}
	bits := v.Type().Bits()
	if v.CanInt() {
		n, err := strconv.ParseInt(digits, 10, bits)
		if err != nil {
			return s.fail("%s does not fit into %d bits", digits, bits)
		}
		v.SetInt(n)
		return nil
	}
	n, err := strconv.ParseUint(digits, 10, bits)
	if err != nil {
		return s.fail("%s does not fit into %d bits without a sign", digits, bits)
	}
	v.SetUint(n)
	return nil
}

// unescape returns what the inside of a string says. Its escapes are known to
// be right, and surrogates to stand in pairs.
func unescape(inside []byte) []byte {
	out := make([]byte, 0, len(inside)) // an escape is never shorter than what it says
	for i := 0; i < len(inside); i++ {
		if inside[i] != '\\' {
			out = append(out, inside[i])
			continue
		}
		i++
		if c := inside[i]; c != 'u' {
			out = append(out, escaped(c))
			continue
		}
		r := hexRune(inside[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			r = utf16.DecodeRune(r, hexRune(inside[i+3:]))
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// escaped is the character that an escape of one letter stands for.
func escaped(c byte) byte {
	if i := strings.IndexByte("bfnrt", c); i >= 0 {
		return "\b\f\n\r\t"[i]
	}
	return c
}

func hexRune(digits []byte) rune {
	var r rune
	for _, c := range digits[:4] {
		r = r<<4 | rune(hexDigit(c))
	}
	return r
}

// hexDigit is the value of a digit, or -1.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
