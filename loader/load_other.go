//go:build !linux

package loader

import "github.com/trustedbpf/tbpf/verify"

// errNotLinux is the answer of every function here.
func errNotLinux(stage string) *Error {
	return &Error{verdict: Unsupported, Reason: "not-linux", Stage: stage, text: "BPF objects are loaded on Linux only"}
}

// Load needs Linux.
func Load(*verify.Verified, Options) (*Loaded, error) { return nil, errNotLinux("load") }

// Status needs Linux.
func Status(string) ([]Report, error) { return nil, errNotLinux("status") }

// Unload needs Linux.
func Unload(string, string) error { return errNotLinux("unload") }

// Loaded is an object in the kernel: there is none here.
type Loaded struct{}

// Report says what is in the kernel.
func (l *Loaded) Report() Report { return Report{} }

// Notices returns nothing.
func (l *Loaded) Notices() []string { return nil }

// MapFD returns -1.
func (l *Loaded) MapFD(string) int { return -1 }

// ProgramFD returns -1.
func (l *Loaded) ProgramFD(string) int { return -1 }

// Close does nothing.
func (l *Loaded) Close() error { return nil }

// StatusOf needs Linux.
func StatusOf(string, string) (Report, bool, error) {
	return Report{}, false, errNotLinux("status")
}
