// Package policy is what a machine asks of an object beyond a right signature.
// docs/policy.md specifies the file.
//
// It guarantees that a policy which it returns can be enforced completely: a
// key that is unknown, or known but not enforced by this version, is an error
// and never passed over. An absent key has its default; an empty list allows
// nothing.
//
// verify, loader and the command line import it. It imports bpfabi, keys
// and stricttoml and nothing else of tbpf.
package policy

import (
	"slices"
	"time"

	"github.com/trustedbpf/tbpf/keys"
)

// Policy is a policy file, or the defaults. The zero value allows nothing.
type Policy struct {
	Threshold    int // distinct keys that must have signed, at least 1
	Validity     Validity
	Algorithms   Words // of signatures, by keys.Algorithm's names
	ProgramTypes Words // by bpfabi's names
	Profiles     Words // that an object may have, by bpfabi's names
	KernelVerify KernelVerify
	// KernelKeyring names the kernel's own keyring that kernel signatures are
	// checked against. Empty: the loader makes one of the machine's keyring.
	KernelKeyring string
	Loader        Words // that may be the trusted loader, by fs-verity digest: "sha256:" and hex
	Token         Token
	Floor         FloorState
	Revocation    Revocation
	Scopes        []Scopes // each of them must allow
	MaxPathLength int      // of CAs between one of the keyring and a signer
	Keyless       []Identity
	Boot          Boot
	Gate          *Gate // nil: the machine has none
}

// Revocation is what is asked of revocation lists.
type Revocation struct {
	Required bool  // without a list that is in date nothing is used
	Signers  Words // keys that may sign lists, by their ids
}

// Token says whether objects must be loaded through a BPF token, which has
// only the rights that the manifest lists.
type Token uint8

// Values of Token, the strictest first.
const (
	TokenRequired       Token = iota
	TokenWhereSupported       // required where the kernel has tokens
	TokenNever                // load with the loader's own capabilities
)

// FloorState says what the absence of the rollback floor's file means.
type FloorState uint8

// Values of FloorState, the strictest first.
const (
	FloorRequired  FloorState = iota // that somebody removed it
	FloorFirstBoot                   // that this machine has not loaded anything yet
)

// Boot is how a boot set is loaded.
type Boot struct {
	OnCriticalFailure OnFailure
	OnRequiredFailure OnFailure
	Stop              StopBoot
	Timeout           time.Duration // for the whole set
}

// StopBoot is the least of the failures at which a machine does not start.
type StopBoot uint8

// Values of StopBoot, the strictest first.
const (
	StopRequired StopBoot = iota // a required or critical object
	StopCritical                 // a critical object
	StopNever
)

// OnFailure says what becomes of a boot set's other objects.
type OnFailure uint8

// Values of OnFailure.
const (
	TakeDown OnFailure = iota // they are taken down
	Leave                     // they stay
)

// Validity is the time by which signers' certificates are judged.
type Validity uint8

// Validities, the strictest first.
const (
	ValidNow     Validity = iota // the time of the verification
	ValidCreated                 // the time at which the signer claims to have signed
	ValidIgnore                  // none
)

// KernelVerify says whether the kernel itself must check an object's signature.
type KernelVerify uint8

// Values of KernelVerify, the strictest first.
const (
	KernelRequired    KernelVerify = iota // load only where the kernel checks
	KernelIfAvailable                     // where it cannot, verification in user space is enough
)

// Words is a set of names that are allowed. The zero value allows none.
type Words struct {
	every bool
	list  []string
}

// Every returns the set that allows every name, also those of later kernels.
func Every() Words { return Words{every: true} }

// Only returns the set of the given names.
func Only(names ...string) Words { return Words{list: slices.Clone(names)} }

// Allows reports whether a name is in the set.
func (w Words) Allows(name string) bool { return w.every || slices.Contains(w.list, name) }

// And returns the names that both sets allow.
func (w Words) And(other Words) Words {
	if w.every {
		return other
	}
	var both []string
	for _, name := range w.list {
		if other.Allows(name) {
			both = append(both, name)
		}
	}
	return Words{list: both}
}

// Default returns the policy that holds where there is no file, or where a file
// leaves a key out.
func Default() *Policy {
	return &Policy{
		Threshold: 1, Algorithms: Every(), ProgramTypes: Every(), Profiles: Every(), Loader: Every(),
		Token: TokenWhereSupported, Floor: FloorFirstBoot,
		Revocation: Revocation{Signers: Every()},
		Boot:       Boot{OnCriticalFailure: TakeDown, OnRequiredFailure: Leave, Timeout: 60 * time.Second},
	}
}

// AllowsAlgorithm reports whether signatures with an algorithm may count.
func (p *Policy) AllowsAlgorithm(a keys.Algorithm) bool { return p.Algorithms.Allows(a.String()) }

// Tightened returns a policy that allows what both allow and asks for what
// either asks: however the other is written, it takes nothing away.
func (p *Policy) Tightened(other *Policy) *Policy {
	return &Policy{
		Threshold:    max(p.Threshold, other.Threshold),
		Validity:     min(p.Validity, other.Validity),
		Algorithms:   p.Algorithms.And(other.Algorithms),
		ProgramTypes: p.ProgramTypes.And(other.ProgramTypes),
		Profiles:     p.Profiles.And(other.Profiles),
		KernelVerify: min(p.KernelVerify, other.KernelVerify),

		Loader:        p.Loader.And(other.Loader),
		KernelKeyring: bothKeyrings(p.KernelKeyring, other.KernelKeyring),
		Token:         min(p.Token, other.Token),
		Floor:         min(p.Floor, other.Floor),
		Revocation: Revocation{
			Required: p.Revocation.Required || other.Revocation.Required,
			Signers:  p.Revocation.Signers.And(other.Revocation.Signers),
		},
		Scopes:        slices.Concat(p.Scopes, other.Scopes),
		Gate:          p.Gate, // the machine's: it is not a load's to change
		MaxPathLength: min(p.MaxPathLength, other.MaxPathLength),
		Keyless:       bothIdentities(p.Keyless, other.Keyless),
		Boot: Boot{
			OnCriticalFailure: min(p.Boot.OnCriticalFailure, other.Boot.OnCriticalFailure),
			OnRequiredFailure: min(p.Boot.OnRequiredFailure, other.Boot.OnRequiredFailure),
			Stop:              min(p.Boot.Stop, other.Boot.Stop),
			Timeout:           min(p.Boot.Timeout, other.Boot.Timeout),
		},
	}
}

// bothIdentities are those that stand in both, as they stand there.
func bothIdentities(a, b []Identity) (both []Identity) {
	for _, one := range a {
		if slices.ContainsFunc(b, func(other Identity) bool { return one.Pattern == other.Pattern && one.Issuer == other.Issuer }) {
			both = append(both, one)
		}
	}
	return both
}

// noKeyring is what two policies leave that name different keyrings. No
// keyring has this name, so nothing that asks the kernel is loaded.
const noKeyring = "none"

func bothKeyrings(a, b string) string {
	switch {
	case a == b || b == "":
		return a
	case a == "":
		return b
	default:
		return noKeyring
	}
}
