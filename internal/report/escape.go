package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Name returns an untrusted name as it may be printed. A name of printable
// characters is returned as it is; any other is returned in double quotes with
// escapes, as Go writes strings: control characters, invalid UTF-8, bidi
// controls and invisible characters do not come through. A name that holds a
// double quote or begins or ends with a space is quoted as well, so that two
// different names never look the same.
func Name(s string) string {
	if s == "" {
		return ""
	}
	if plain(s) && !strings.ContainsRune(s, '"') && strings.TrimSpace(s) == s {
		return s
	}
	return strconv.Quote(s)
}

// Text returns a message in one line: what is not printable in it is escaped.
func Text(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 || !strconv.IsPrint(r) {
			q := strconv.Quote(s[:size])
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// Printable says whether data may go to a terminal as it is: lines of
// printable characters.
func Printable(data []byte) bool {
	for line := range strings.Lines(string(data)) {
		if !plain(strings.TrimSuffix(line, "\n")) {
			return false
		}
	}
	return true
}

func plain(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}
