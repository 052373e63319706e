package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/trustedbpf/tbpf/internal/report"
)

// usageError is a command line that means nothing: exit 2, and nothing on
// standard output.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(hint, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), hint: hint}
}

// fileError names the file that an error is about.
type fileError struct {
	Path string
	Err  error
}

func (e *fileError) Error() string {
	return report.Name(e.Path) + ": " + bare(e.Err, e.Path)
}
func (e *fileError) Unwrap() error { return e.Err }

// bare is the error's text without the name that the line begins with anyway.
func bare(err error, path string) string {
	if pathErr, ok := err.(*fs.PathError); ok && (pathErr.Path == path || path == standardOutput || path == standardInput) {
		return pathErr.Err.Error()
	}
	return err.Error()
}

// What messages call "-".
const (
	standardInput  = "standard input"
	standardOutput = "standard output"
)

// forFile wraps an error with the file's name; nil stays nil.
func forFile(path string, err error) error {
	if err == nil {
		return nil
	}
	var named *fileError
	if errors.As(err, &named) {
		return err
	}
	if path == "-" {
		path = standardInput
	}
	return &fileError{Path: path, Err: err}
}

// flatten lists the errors that are printed a line each.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range joined.Unwrap() {
			list = append(list, flatten(e)...)
		}
		return list
	}
	return []error{err}
}
