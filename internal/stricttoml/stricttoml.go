// Package stricttoml reads TOML that decides what a machine trusts.
//
// It takes the part of TOML 1.0 that such files need, and refuses the rest by
// name: multi-line strings, floats, dates, and numbers that are not plain
// decimal. What it takes means what TOML says; a test holds it against another
// reader. It refuses files over a size, invalid UTF-8, a byte order mark,
// control characters, deep nesting, and whatever is defined twice.
//
// It gives tables and not structs, because going through a struct matches keys
// without regard to letter case; its callers refuse every key that they do not
// know. Values are string, int64, bool, []any, map[string]any, and
// []map[string]any for arrays of tables.
//
// policy and bootset import it. It imports nothing of tbpf, so that the trusted
// loader links no general reader.
package stricttoml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep arrays and inline tables may be nested.
const maxDepth = 16

// Error says why a file is not such TOML.
type Error struct {
	Line   int // 0: the file as a whole
	Detail string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Detail
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Detail)
}

// Parse reads a file of at most limit bytes. The error is an *Error.
func Parse(data []byte, limit int) (map[string]any, error) {
	switch {
	case len(data) > limit:
		return nil, &Error{Detail: fmt.Sprintf("%d bytes, %d are allowed", len(data), limit)}
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return nil, &Error{Detail: "it begins with a byte order mark"}
	case !utf8.Valid(data):
		return nil, &Error{Detail: "it is not UTF-8"}
	}
	p := &parser{text: string(data), line: 1, root: newTable()}
	p.current = p.root
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.root.values(), nil
}

// parser reads one file.
type parser struct {
	text    string // what is left
	line    int
	root    *table
	current *table // of the last header
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{p.line, fmt.Sprintf(format, args...)}
}

// document reads line by line.
func (p *parser) document() error {
	for {
		p.space()
		switch {
		case p.text == "":
			return nil
		case p.text[0] != '\n' && p.text[0] != '\r' && p.text[0] != '#':
			if err := p.expression(); err != nil {
				return err
			}
		}
		if err := p.endOfLine(); err != nil {
			return err
		}
	}
}

// expression reads a header or a key with its value.
func (p *parser) expression() error {
	if p.skip("[[") {
		return p.header("]]", true)
	}
	if p.skip("[") {
		return p.header("]", false)
	}
	return p.pair(p.current, 0)
}

// header reads the rest of a table's header and makes the table current.
func (p *parser) header(end string, list bool) error {
	path, err := p.key()
	if err != nil {
		return err
	}
	if !p.skip(end) {
		return p.fail("the header of a table does not end with %s", end)
	}
	t, ok := p.root.open(path, list)
	if !ok {
		return p.fail("%q is defined twice", strings.Join(path, "."))
	}
	p.current = t
	return nil
}

// pair reads a key and its value, at a depth of nesting, into a table.
func (p *parser) pair(t *table, depth int) error {
	path, err := p.key()
	if err != nil {
		return err
	}
	if !p.skip("=") {
		return p.fail("= is missing after %q", strings.Join(path, "."))
	}
	p.space()
	v, err := p.value(depth)
	if err != nil {
		return err
	}
	if !t.set(path, v) {
		return p.fail("%q is defined twice", strings.Join(path, "."))
	}
	return nil
}

// key reads a key, with its parts between dots.
func (p *parser) key() ([]string, error) {
	var path []string
	for {
		p.space()
		part, err := p.keyPart()
		if err != nil {
			return nil, err
		}
		if path = append(path, part); len(path) > maxDepth {
			return nil, p.fail("a key has more than %d parts", maxDepth)
		}
		p.space()
		if !p.skip(".") {
			return path, nil
		}
	}
}

func (p *parser) keyPart() (string, error) {
	if p.text != "" && (p.text[0] == '"' || p.text[0] == '\'') {
		return p.quoted()
	}
	n := 0
	for n < len(p.text) && bareKey(p.text[n]) {
		n++
	}
	if n == 0 {
		return "", p.fail("a key is missing")
	}
	part := p.text[:n]
	p.text = p.text[n:]
	return part, nil
}

func bareKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// space skips blanks.
func (p *parser) space() { p.text = strings.TrimLeft(p.text, " \t") }

// skip skips a word, if it is the next.
func (p *parser) skip(word string) bool {
	rest, ok := strings.CutPrefix(p.text, word)
	p.text = rest
	return ok
}

// endOfLine skips blanks, a comment and the line break, or the file's end.
func (p *parser) endOfLine() error {
	p.space()
	if p.skip("#") {
		end := strings.IndexByte(p.text, '\n')
		if end < 0 {
			end = len(p.text)
		}
		comment := p.text[:end]
		if end < len(p.text) {
			comment = strings.TrimSuffix(comment, "\r")
		}
		if strings.ContainsFunc(comment, control) {
			return p.fail("a comment has a control character")
		}
		p.text = p.text[len(comment):]
	}
	switch {
	case p.text == "":
		return nil
	case p.skip("\n"), p.skip("\r\n"):
		p.line++
		return nil
	default:
		return p.fail("something follows a value or a table's header")
	}
}

// control reports whether TOML allows a character nowhere in a line.
func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
