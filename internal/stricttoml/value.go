package stricttoml

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// value reads a value at a depth of nesting.
func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.fail("it is nested deeper than %d", maxDepth)
	}
	switch {
	case p.text == "":
		return nil, p.fail("a value is missing")
	case p.text[0] == '"' || p.text[0] == '\'':
		return p.quoted()
	case p.skip("["):
		return p.array(depth)
	case p.skip("{"):
		return p.inlineTable(depth)
	}
	word := p.text
	if end := strings.IndexAny(word, " \t\r\n#,]}"); end >= 0 {
		word = word[:end]
	}
	p.text = p.text[len(word):]
	switch word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	n, err := strconv.ParseInt(word, 10, 64)
	digits := strings.TrimLeft(word, "+-")
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		return nil, p.fail("%.64q is no value: strings in quotes, decimal numbers, true, false, arrays and tables are taken", word)
	}
	return n, nil
}

// array reads the rest of an array.
func (p *parser) array(depth int) (any, error) {
	values := []any{}
	for {
		if err := p.lines(); err != nil {
			return nil, err
		}
		if p.skip("]") {
			return values, nil
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if t, ok := v.(*table); ok {
			v = t.values()
		}
		values = append(values, v)
		if err := p.lines(); err != nil {
			return nil, err
		}
		if p.skip(",") {
			continue
		}
		if p.skip("]") {
			return values, nil
		}
		return nil, p.fail("an array does not end with ]")
	}
}

// lines skips blanks, line breaks and comments.
func (p *parser) lines() error {
	for {
		p.space()
		if p.text == "" || p.text[0] != '#' && p.text[0] != '\n' && p.text[0] != '\r' {
			return nil
		}
		if err := p.endOfLine(); err != nil {
			return err
		}
	}
}

// inlineTable reads the rest of a table in braces, which nothing adds to.
func (p *parser) inlineTable(depth int) (any, error) {
	t := newTable()
	p.space()
	if p.skip("}") {
		return t.close(), nil
	}
	for {
		if err := p.pair(t, depth+1); err != nil {
			return nil, err
		}
		p.space()
		if p.skip("}") {
			return t.close(), nil
		}
		if !p.skip(",") {
			return nil, p.fail("a table in braces does not end with }")
		}
	}
}

// quoted reads a string in single or double quotes, in one line.
func (p *parser) quoted() (string, error) {
	if strings.HasPrefix(p.text, `"""`) || strings.HasPrefix(p.text, "'''") {
		return "", p.fail("strings of several lines are not taken")
	}
	quote := p.text[0]
	p.text = p.text[1:]
	var b strings.Builder
	for {
		r, size := utf8.DecodeRuneInString(p.text)
		switch {
		case size == 0 || control(r):
			return "", p.fail("a string does not end in its line, or has a control character")
		case byte(r) == quote && size == 1:
			p.text = p.text[1:]
			return b.String(), nil
		case r == '\\' && quote == '"':
			c, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(c)
		default:
			b.WriteString(p.text[:size])
			p.text = p.text[size:]
		}
	}
}

// escape reads a backslash and what follows.
func (p *parser) escape() (rune, error) {
	if len(p.text) < 2 {
		return 0, p.fail("a string ends with a backslash")
	}
	c := p.text[1]
	p.text = p.text[2:]
	if i := strings.IndexByte(`btnfr"\`, c); i >= 0 {
		return rune("\b\t\n\f\r\"\\"[i]), nil
	}
	digits := 0
	switch c {
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if digits == 0 || len(p.text) < digits {
		return 0, p.fail(`\%c is no escape`, c)
	}
	n, err := strconv.ParseUint(p.text[:digits], 16, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, p.fail("%.16q is no number of a character", p.text[:digits])
	}
	p.text = p.text[digits:]
	return rune(n), nil
}
