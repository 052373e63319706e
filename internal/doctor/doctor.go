// Package doctor says whether a machine can do what tbpf does: item by item,
// with what to do about each that is not as it should be.
//
// It guarantees that it changes nothing, and that what it could not see is said
// to be not seen, never taken for good or for missing. Read asks the machine,
// with files read as the trusted loader reads them (package trustpath) and with
// system calls that leave nothing behind; Examine judges what was read, and asks
// nothing. It works unprivileged, and where a BPF LSM gate denies loads.
//
// cmd/tbpf imports it. It must not import sign, keys/signer, cobra, sigstore or
// cilium/ebpf.
package doctor

import (
	"errors"
	"io/fs"
	"strings"
)

// Status is how an item is.
type Status uint8

// Values of Status.
const (
	// OK is as it should be.
	OK Status = iota
	// Limited works, with less than a machine can have: the finding says what.
	Limited
	// Unknown could not be seen, or the kernel did not answer: it may be wrong.
	Unknown
	// Problem keeps tbpf from doing its work.
	Problem
)

// String is the word that reports have.
func (s Status) String() string { return [...]string{"ok", "limited", "unknown", "problem"}[s] }

// Exit codes of problems. An object's is what verifying or loading it ends with.
const (
	codeNoSigner = 12 // the machine trusts no key
	codeRevoked  = 14
	codeFloor    = 15
	codeFiles    = 16 // what decides is missing, malformed, or others could have written it
	codeKeyring  = 20 // the kernel would find no certificate
	codeUnseen   = 22
	codeKernel   = 23
	codeBootSet  = 31
)

// Check is one item.
type Check struct {
	ID      string // stable kebab-case: "bpffs"
	Subject string // which of several, such as an object's name; may be empty
	Status  Status
	Finding string   // one line
	Details []string // a line each
	Remedy  string   // what to do; empty where nothing has to be done or can be
	Code    int      // exit code that it leads to: of a Problem or Unknown, else 0
}

// Report is the page.
type Report struct {
	Release string // of the kernel
	Machine string // as uname(2) has it
	Checks  []Check
}

// ExitCode is the code of the first problem; where there is none, 22 if
// something could not be seen, and 0 if all of it was seen and nothing is wrong.
func (r *Report) ExitCode() int {
	unseen := 0
	for i := range r.Checks {
		switch r.Checks[i].Status {
		case Problem:
			return r.Checks[i].Code
		case Unknown:
			unseen = codeUnseen
		}
	}
	return unseen
}

// Count is the number of items with a status.
func (r *Report) Count(s Status) int {
	n := 0
	for i := range r.Checks {
		if r.Checks[i].Status == s {
			n++
		}
	}
	return n
}

// Error returns the error that a process ends with, nil for exit code 0.
func (r *Report) Error() error {
	code := r.ExitCode()
	if code == 0 {
		return nil
	}
	status, e := Unknown, &Error{Code: code, Reason: "not-all-seen", text: "nothing is wrong that could be seen, but these could not be: "}
	if r.Count(Problem) > 0 {
		status, e.Reason, e.text = Problem, "problems", "this machine cannot do all of it: "
	}
	var names []string
	for i := range r.Checks {
		c := &r.Checks[i]
		if c.Status != status {
			continue
		}
		name := c.ID
		if c.Subject != "" {
			name += " " + c.Subject
		}
		names = append(names, name)
	}
	e.text += strings.Join(names, ", ")
	return e
}

// Error is a machine that cannot do all of it, or was not seen as a whole.
type Error struct {
	Code   int
	Reason string // "problems", "not-all-seen"
	text   string
}

func (e *Error) Error() string { return e.text }

// Fact is the answer to a question that was asked of the machine, or why there
// is none.
type Fact[T any] struct {
	Value T
	Err   error
}

// fact makes a Fact of what a function returned.
func fact[T any](v T, err error) Fact[T] { return Fact[T]{v, err} }

// hidden reports whether the answer is there and this process may not have it.
func hidden(err error) bool { return errors.Is(err, fs.ErrPermission) }

func ok(id, finding string) Check {
	return Check{ID: id, Finding: finding}
}

func limited(id, finding, remedy string) Check {
	return Check{ID: id, Status: Limited, Finding: finding, Remedy: remedy}
}

func problem(id string, code int, finding, remedy string) Check {
	return Check{ID: id, Status: Problem, Code: code, Finding: finding, Remedy: remedy}
}

func unknown(id, finding, remedy string) Check {
	return Check{ID: id, Status: Unknown, Code: codeUnseen, Finding: finding, Remedy: remedy}
}
