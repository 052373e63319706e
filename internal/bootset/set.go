package bootset

import (
	"fmt"
	"path/filepath"
	"strings"
)

// maxEntries bounds the number of objects in a set.
const maxEntries = 256

// Dir is the directory of a set, opened and read with the care that what
// decides about trust needs (package trustpath).
type Dir interface {
	Names() ([]string, error) // sorted
	ReadFile(name string, limit int64) ([]byte, error)
}

// Read reads a set, in order. One file that is wrong refuses all of it: of a
// set with a hole in it nobody knows whether the hole was the guard.
func Read(dir Dir) ([]*Entry, error) {
	names, err := dir.Names()
	if err != nil {
		return nil, fmt.Errorf("boot set: %w", err)
	}
	if len(names) > maxEntries {
		return nil, &Error{Detail: fmt.Sprintf("it has more than %d files", maxEntries)}
	}
	var set []*Entry
	sources := make(map[string]string)
	for _, name := range names {
		if !fileName(name) {
			return nil, &Error{File: fmt.Sprintf("%q", name), Detail: "names have the form 50-guard.toml"}
		}
		data, err := dir.ReadFile(name, MaxSize)
		if err != nil {
			return nil, fmt.Errorf("boot set: %w", err)
		}
		e, err := parseEntry(name, data)
		if err != nil {
			return nil, err
		}
		if other, twice := sources[e.Name]; twice {
			return nil, &Error{File: name, Key: "name", Detail: fmt.Sprintf("%q is the object of %s", e.Name, other)}
		}
		sources[e.Name] = name
		set = append(set, e)
	}
	return set, nil
}

// fileName reports whether a name has the form 50-guard.toml.
func fileName(name string) bool {
	rest, ok := strings.CutSuffix(name, ".toml")
	if !ok || filepath.Base(name) != name || len(rest) < 4 || rest[2] != '-' {
		return false
	}
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	if !digit(rest[0]) || !digit(rest[1]) {
		return false
	}
	for i := range len(rest) {
		c := rest[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c) || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
