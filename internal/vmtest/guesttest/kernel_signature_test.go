//go:build vmguest

package guesttest

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// signedFixture is the object whose loader programs are tampered with.
const signedFixture = "fileguard"

// The kernel alone, without any of tbpf's checks, takes the loader program as
// it was signed and refuses it otherwise. Below 7.3 it does not look at the
// metadata: the loader program does, when it runs.
func TestKernelRefusesWhatWasTamperedWith(t *testing.T) {
	profile, ok := profiles[kernel(t)]
	if !ok {
		testKernelKnowsNoSignatures(t)
		return
	}
	signed := loaderOf(t, signedFixture, profile)
	signed.keyring = newKeyring(t, "keys/suite.crt")
	strangers := newKeyring(t, "keys/stranger.crt")
	badMetadata := refusal{"run", unix.EKEYREJECTED}
	if profile == bpfabi.Bound {
		badMetadata = refusal{"load", unix.EKEYREJECTED}
	}
	tests := []struct {
		name   string
		change func(*attempt)
		want   refusal
	}{
		{"as it was signed", func(*attempt) {}, refusal{}},
		{"key that is not in the keyring", func(a *attempt) { a.keyring = strangers }, refusal{"load", unix.ENOKEY}},
		{"keyring that does not exist", func(a *attempt) { a.keyring = 0x7ffffff0 }, refusal{"load", unix.EINVAL}},
		{"system keyring without the key", func(a *attempt) { a.keyring = 1 }, refusal{"load", unix.ENOKEY}},
		{"flipped bit in the first instruction", func(a *attempt) { flip(a.instructions, 4) }, refusal{"load", unix.EKEYREJECTED}},
		{"flipped bit in the last instruction", func(a *attempt) { flip(a.instructions, len(a.instructions)-1) }, refusal{"load", unix.EKEYREJECTED}},
		{"flipped bit in the metadata's zeroes", func(a *attempt) { flip(a.metadata, 0) }, badMetadata},
		{"flipped bit in the metadata's middle", func(a *attempt) { flip(a.metadata, len(a.metadata)/2) }, badMetadata},
		{"flipped bit in the metadata's end", func(a *attempt) { flip(a.metadata, len(a.metadata)-1) }, badMetadata},
		{"longer metadata", func(a *attempt) { a.metadata = append(a.metadata, make([]byte, 8)...) }, badMetadata},
		{"flipped bit in the signature's value", func(a *attempt) { flip(a.signature, len(a.signature)-1) }, refusal{"load", unix.EKEYREJECTED}},
		{"flipped bit in the signature's first byte", func(a *attempt) { flip(a.signature, 0) }, refusal{"load", unix.EBADMSG}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := signed
			a.instructions, a.metadata, a.signature = slices.Clone(a.instructions), slices.Clone(a.metadata), slices.Clone(a.signature)
			test.change(&a)
			if got := a.make(t); got != test.want {
				t.Errorf("refused by %q with %v, want %q with %v", got.stage, got.errno, test.want.stage, test.want.errno)
			}
		})
	}
}

// A loader program of one profile passes on no kernel that has another.
func TestKernelRefusesOtherProfiles(t *testing.T) {
	name := kernel(t)
	profile, ok := profiles[name]
	if !ok {
		testKernelKnowsNoSignatures(t)
		return
	}
	keyring := newKeyring(t, "keys/suite.crt")
	want := map[string]map[bpfabi.Profile]unix.Errno{
		"6.18": {bpfabi.Bound: unix.EKEYREJECTED, bpfabi.SelfcheckExcl: unix.EACCES},
		"7.2":  {bpfabi.Bound: unix.EKEYREJECTED, bpfabi.Selfcheck: unix.EACCES},
		"7.3":  {bpfabi.SelfcheckExcl: unix.EACCES, bpfabi.Selfcheck: unix.EACCES},
	}[name]
	for _, other := range bpfabi.Profiles() {
		if other == profile {
			continue
		}
		a := loaderOf(t, signedFixture, other)
		a.keyring = keyring
		if got := a.make(t); got != (refusal{"load", want[other]}) {
			t.Errorf("%s: refused by %q with %v, want load with %v", other, got.stage, got.errno, want[other])
		}
	}
}

// The signed bytes have no frame between instructions and metadata. No other
// place to cut them apart gives a program that the kernel takes.
func TestSignedBytesCannotBeCutElsewhere(t *testing.T) {
	profile, ok := profiles[kernel(t)]
	if !ok {
		testKernelKnowsNoSignatures(t)
		return
	}
	a := loaderOf(t, signedFixture, bpfabi.Bound)
	a.keyring = newKeyring(t, "keys/suite.crt")
	a.profile = profile
	payload, signed := slices.Concat(a.instructions, a.metadata), len(a.instructions)
	if profile != bpfabi.Bound { // all of it is the program; the map is anything
		a.instructions, a.metadata = payload, make([]byte, 64)
		if got := a.make(t); got.stage != "load" {
			t.Errorf("instructions and metadata as one program: refused by %q with %v", got.stage, got.errno)
		}
		return
	}
	for cut := 8; cut < len(payload); cut += 8 {
		if cut == signed {
			continue
		}
		a.instructions, a.metadata = payload[:cut], payload[cut:]
		if got := a.make(t); got.stage != "load" || got.errno == unix.EKEYREJECTED {
			t.Errorf("cut at %d instead of %d: refused by %q with %v, want the verifier at load", cut, signed, got.stage, got.errno)
		}
	}
}

// Kernels without signatures say so in a way that cannot be taken for another
// failure: the exclusive map is what they do not know.
func testKernelKnowsNoSignatures(t *testing.T) {
	t.Helper()
	a := loaderOf(t, signedFixture, bpfabi.Bound)
	if got := a.make(t); got != (refusal{"map", unix.EINVAL}) {
		t.Errorf("refused by %q with %v, want map with EINVAL", got.stage, got.errno)
	}
}

func flip(data []byte, at int) { data[at] ^= 1 }
