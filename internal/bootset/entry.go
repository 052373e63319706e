// Package bootset is what a machine loads when it starts: it reads the files
// of a boot set (docs/boot-set.md) and runs the set in order.
//
// It guarantees that a set is read completely or refused completely, and that
// the outcome of a run follows from what became of each object and from the
// policy alone: an object that is required or critical and is not in place is
// never an outcome that lets the machine report itself ready.
//
// How an object is loaded is not its business: Run is given a Machine. The
// trusted loader imports it. It imports manifest (for names), policy and
// stricttoml and nothing else of tbpf.
package bootset

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/sorted"
	"github.com/trustedbpf/tbpf/internal/stricttoml"
)

// MaxSize bounds a file of a boot set, in bytes.
const MaxSize = 64 << 10

// Limits of values.
const (
	maxPath    = 4095
	maxTarget  = 4095
	maxTimeout = 600 // seconds
)

// Defaults of keys that a file leaves out.
const (
	DefaultPin     = "tbpf" // beneath /sys/fs/bpf
	DefaultTimeout = 10 * time.Second
)

// Importance is what a failure of an object means.
type Importance uint8

// Values of Importance. Required is the zero value and the default.
const (
	Required Importance = iota
	Critical
	Optional
)

// String is the word that files have.
func (i Importance) String() string {
	if int(i) < len(importances) {
		return importances[i]
	}
	return fmt.Sprintf("importance(%d)", uint8(i))
}

var importances = [...]string{"required", "critical", "optional"}

// Entry is one object of a boot set.
type Entry struct {
	Source     string            // the file's name, for messages
	File       string            // absolute path of the sealed object
	Seal       string            // absolute path of its detached seal, or empty
	Name       string            // that the manifest must have
	Importance Importance        //
	KernelMin  string            // first kernel release, or empty
	KernelMax  string            // last kernel release, or empty
	Pin        string            // name of a directory in /sys/fs/bpf, in which the object gets its own
	Timeout    time.Duration     //
	Attach     map[string]string // program to target
	Set        map[string]string // tunable to value
}

// Error says what is wrong with a file of a boot set.
type Error struct {
	File   string // its name; empty: the set as a whole
	Key    string // empty: the file as a whole
	Detail string
}

func (e *Error) Error() string {
	text := "boot set"
	for _, part := range []string{e.File, e.Key, e.Detail} {
		if part != "" {
			text += ": " + part
		}
	}
	return text
}

// parseEntry reads one file.
func parseEntry(source string, data []byte) (*Entry, error) {
	refuse := func(key string, err error) (*Entry, error) {
		return nil, &Error{File: source, Key: key, Detail: err.Error()}
	}
	table, err := stricttoml.Parse(data, MaxSize)
	if err != nil {
		return refuse("", err)
	}
	e := &Entry{Source: source, Pin: DefaultPin, Timeout: DefaultTimeout}
	readers := map[string]func(any) error{
		"file":       func(v any) error { return readPath(&e.File, v) },
		"seal":       func(v any) error { return readPath(&e.Seal, v) },
		"name":       func(v any) error { return readText(&e.Name, v, manifest.CheckName) },
		"importance": e.readImportance,
		"kernel-min": func(v any) error { return readText(&e.KernelMin, v, checkRelease) },
		"kernel-max": func(v any) error { return readText(&e.KernelMax, v, checkRelease) },
		"pin":        func(v any) error { return readText(&e.Pin, v, checkPin) },
		"timeout":    e.readTimeout,
		"attach":     e.readAttach,
		"set":        e.readSet,
	}
	for _, key := range sorted.Collected(maps.Keys(table)) {
		read, known := readers[key]
		if !known {
			return refuse(fmt.Sprintf("%.64q", key), errors.New("unknown key"))
		}
		if err := read(table[key]); err != nil {
			return refuse(key, err)
		}
	}
	switch {
	case e.File == "":
		return refuse("file", errors.New("it must be there"))
	case e.Name == "":
		return refuse("name", errors.New("it must be there"))
	case e.Seal == e.File:
		return refuse("seal", errors.New("it is the object itself"))
	case e.KernelMin != "" && e.KernelMax != "" && above(e.KernelMin, e.KernelMax):
		return refuse("kernel-max", fmt.Errorf("no kernel is from %s to %s", e.KernelMin, e.KernelMax))
	}
	return e, nil
}

func readText(to *string, v any, check func(string) error) error {
	s, ok := v.(string)
	if !ok {
		return errors.New("it is a string")
	}
	if err := check(s); err != nil {
		return err
	}
	*to = s
	return nil
}

func readPath(to *string, v any) error {
	return readText(to, v, func(s string) error {
		if !filepath.IsAbs(s) || filepath.Clean(s) != s || len(s) > maxPath || strings.Contains(s, "\x00") {
			return fmt.Errorf("%.200q is not an absolute path in its shortest form", s)
		}
		return nil
	})
}

// checkPin takes the name of one directory. Dots are reserved in a bpffs.
func checkPin(s string) error {
	if err := manifest.CheckName(s); err != nil {
		return err
	}
	if strings.Contains(s, ".") {
		return fmt.Errorf("%q has a dot, which a bpffs does not take", s)
	}
	return nil
}

func (e *Entry) readImportance(v any) error {
	for i, word := range importances {
		if v == any(word) {
			e.Importance = Importance(i)
			return nil
		}
	}
	return errors.New(`it is "critical", "required" or "optional"`)
}

func (e *Entry) readTimeout(v any) error {
	n, ok := v.(int64)
	if !ok || n < 1 || n > maxTimeout {
		return fmt.Errorf("it is a number of seconds from 1 to %d", maxTimeout)
	}
	e.Timeout = time.Duration(n) * time.Second
	return nil
}

func (e *Entry) readAttach(v any) error {
	table, ok := v.(map[string]any)
	if !ok {
		return errors.New("it is a table")
	}
	e.Attach = make(map[string]string, len(table))
	for program, v := range table {
		target, ok := v.(string)
		if !ok || program == "" || target == "" || len(target) > maxTarget || strings.Contains(target, "\x00") {
			return errors.New("it has a target, a string, for each program")
		}
		e.Attach[program] = target
	}
	return nil
}

// readSet takes the values of tunables: texts, whole numbers, true and false.
// Which the object takes, its manifest says.
func (e *Entry) readSet(v any) error {
	table, ok := v.(map[string]any)
	if !ok {
		return errors.New("it is a table")
	}
	e.Set = make(map[string]string, len(table))
	for name, v := range table {
		text, ok := v.(string)
		switch v := v.(type) {
		case int64:
			text, ok = strconv.FormatInt(v, 10), true
		case bool:
			text, ok = strconv.FormatBool(v), true
		}
		if !ok || name == "" || len(text) > manifest.MaxTunableString {
			return fmt.Errorf("%.64q has no value that is a string, a whole number, true or false; a name with a dot in it stands in quotes", name)
		}
		e.Set[name] = text
	}
	return nil
}
