package loader

import (
	"fmt"
	"strings"
	"syscall"
)

// Verdict is how a load ended, in the words of the command's JSON.
type Verdict string

// Verdicts, with their exit codes.
const (
	Failed          Verdict = "error"            // 1: operational
	NotAllowed      Verdict = "policy"           // 16: a value that the signature does not allow
	KernelRefused   Verdict = "kernel-refused"   // 20: the kernel did not take the signature
	VerifierRefused Verdict = "verifier-refused" // 21: the BPF verifier did not take a program
	Permission      Verdict = "permission"       // 22: capability, token or security module
	Unsupported     Verdict = "unsupported"      // 23: this kernel lacks what the object needs
)

// ExitCode is the exit code of a process that ends with this verdict.
func (v Verdict) ExitCode() int {
	switch v {
	case NotAllowed:
		return 16
	case KernelRefused:
		return 20
	case VerifierRefused:
		return 21
	case Permission:
		return 22
	case Unsupported:
		return 23
	default:
		return 1
	}
}

// MaxLog is the most of a verifier's log that an Error carries, in bytes. The
// end is kept: there the reason stands.
const MaxLog = 64 << 10

// Error is why nothing was loaded. Every error of this package is one.
type Error struct {
	verdict Verdict
	Reason  string        // stable, kebab-case
	Stage   string        // what was being done: "program", "map", "attach", ...
	Name    string        // of the program, map, symbol or file it was done to; may be empty
	Errno   syscall.Errno // the kernel's answer, 0 if there was none
	Log     []byte        // of the verifier, at most MaxLog bytes; may be nil
	Hint    string        // what the caller can do; may be empty
	text    string
	cause   error
}

// Error is one line that names what failed, on what, and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Stage)
	if e.Name != "" {
		fmt.Fprintf(&b, " %q", e.Name)
	}
	if e.text != "" {
		b.WriteString(": ")
		b.WriteString(e.text)
	}
	switch {
	case e.Errno != 0 && e.text != "":
		fmt.Fprintf(&b, " (%s)", errnoText(e.Errno))
	case e.Errno != 0:
		b.WriteString(": " + errnoText(e.Errno))
	case e.cause != nil:
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	return b.String()
}

// Unwrap returns the error that caused this one, if there is one.
func (e *Error) Unwrap() error {
	if e.cause != nil {
		return e.cause
	}
	if e.Errno != 0 {
		return e.Errno
	}
	return nil
}

// Verdict is the kind of failure.
func (e *Error) Verdict() Verdict { return e.verdict }

// ExitCode is the exit code of a process that ends with this error.
func (e *Error) ExitCode() int { return e.verdict.ExitCode() }

// failure makes an operational error of another one.
func failure(stage, name, reason string, err error) *Error {
	return &Error{verdict: Failed, Reason: reason, Stage: stage, Name: name, cause: err}
}

// errnoENOTSUPP is the kernel's internal "not supported", which escapes to user
// space from several BPF commands and has no name there.
const errnoENOTSUPP = syscall.Errno(524)

// errnoText is an error number's meaning and number.
func errnoText(errno syscall.Errno) string {
	if errno == errnoENOTSUPP {
		return "operation not supported, errno 524"
	}
	return fmt.Sprintf("%v, errno %d", errno, int(errno))
}
