// Package bpfabi has the names and numbers of the kernel's BPF interface that
// tbpf needs on every operating system: signing profiles, program types, map
// types, attach types and commands. It makes no system call and imports
// nothing of tbpf, so that sign, verify and loader agree on one table.
//
// The names are those of the bpffs delegation options (kernel/bpf/inode.c):
// the enumerator without its prefix, in lower case.
package bpfabi

import "fmt"

// Profile is one of the kernel's contracts for signed loader programs. They
// exclude each other: a signature made for one profile is refused by a kernel
// that implements another.
type Profile uint8

// The profiles, strongest first. Their numbers are part of the seal's format.
const (
	// Bound (7.3+): the signature covers the instructions and the contents of
	// the metadata map; the kernel checks both before anything else sees them.
	Bound Profile = 1
	// SelfcheckExcl (7.2, later 6.18.y): the signature covers the
	// instructions, which compare the map's digest and its exclusiveness.
	SelfcheckExcl Profile = 2
	// Selfcheck (6.18.0 to 7.1): as SelfcheckExcl, without exclusive maps.
	Selfcheck Profile = 3
)

// Profiles lists all profiles, strongest first.
func Profiles() []Profile { return []Profile{Bound, SelfcheckExcl, Selfcheck} }

// String returns the profile's name as flags, manifests and JSON have it.
func (p Profile) String() string {
	switch p {
	case Bound:
		return "bound"
	case SelfcheckExcl:
		return "selfcheck-excl"
	case Selfcheck:
		return "selfcheck"
	default:
		return fmt.Sprintf("profile(%d)", uint8(p))
	}
}

// ParseProfile is the inverse of String. It knows no other spelling.
func ParseProfile(name string) (Profile, error) {
	for _, p := range Profiles() {
		if p.String() == name {
			return p, nil
		}
	}
	return 0, fmt.Errorf("unknown profile %q", name)
}

// Payload returns the bytes that the kernel's signature of this profile
// covers: the instructions, and for Bound the metadata after them. It may
// alias instructions.
func (p Profile) Payload(instructions, metadata []byte) []byte {
	if p != Bound {
		return instructions
	}
	payload := make([]byte, 0, len(instructions)+len(metadata))
	return append(append(payload, instructions...), metadata...)
}
