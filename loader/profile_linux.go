package loader

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// unsigned is what reports call a load that the kernel did not check.
const unsigned = "unsigned"

// kernel is what picking a profile asks of the running kernel. Tests put other
// kernels in its place.
type kernel interface {
	// try loads and runs one payload.
	try(kernelload.Payload, kernelload.Settings) (*kernelload.Result, error)
	// hasSignatures asks whether it knows signatures of BPF programs.
	hasSignatures(token *bpfsys.FD) (bool, error)
	// checksNothing asks whether it was built without checking them.
	checksNothing(token *bpfsys.FD) (bool, error)
	// hasExcl asks its own types whether struct bpf_map has the member excl;
	// known is false where they cannot be read.
	hasExcl() (known, excl bool)
}

// run is one object on its way into the kernel.
type run struct {
	kernel   kernel
	src      sealed
	manifest *manifest.Manifest
	opt      Options
	token    *bpfsys.FD
	wider    string // what the token allows beyond the manifest
	settings kernelload.Settings
	// ring makes the keyring that signatures are checked against, once it is
	// known that the kernel checks any.
	ring func() (int32, error)
}

// hasToken reports whether the kernel is asked through a BPF token.
func (r *run) hasToken() bool { return r.token != nil || r.opt.Isolate }

// loaded is what one of the profiles brought into the kernel.
type loaded struct {
	*kernelload.Result
	profile  string
	verified bool
}

// put loads the object by the strongest profile that this kernel has. A kernel
// that cannot check signatures at all gets the object without one, if the
// caller allowed that; any other kernel has to take a signature.
func (r *run) put() (*loaded, error) {
	can, err := r.kernel.hasSignatures(r.token)
	if err != nil {
		return nil, r.refusal(err)
	}
	if !can {
		return r.putUnsigned("this kernel has no signatures of BPF programs: they came with Linux 6.18")
	}
	if r.manifest.KernelSigner == nil && r.src.certificate == nil {
		if cannot, err := r.kernel.checksNothing(r.token); err != nil || !cannot {
			return nil, errors.Join(&Error{verdict: KernelRefused, Reason: "no-kernel-signature", Stage: "load",
				text: "the object has no signature for the kernel, and this kernel checks signatures",
				Hint: "sign it with a key that the kernel takes (--kernel-key), such as ecdsa-p256"}, err)
		}
		return r.putUnsigned(noVerification)
	}
	id, err := r.ring()
	if err != nil {
		// A kernel built without signature checking may lack the keys for it
		// as well.
		if cannot, probeErr := r.kernel.checksNothing(r.token); probeErr == nil && cannot {
			return r.putUnsigned(noVerification)
		}
		return nil, err
	}
	r.settings.KeyringID = id
	return r.putSigned()
}

const noVerification = "this kernel is built without signature checking (CONFIG_SYSTEM_DATA_VERIFICATION)"

// putSigned tries the profiles, strongest first, and goes on only where the
// kernel's answer means that it has another profile:
//
//   - EKEYREJECTED for `bound` is what kernels before 7.3 say, which check other
//     bytes. A kernel with `bound` refuses the others (EACCES).
//   - `selfcheck-excl` needs struct bpf_map to have excl, `selfcheck` needs it
//     not to: the kernel's BTF tells. Without BTF the verifier does, by EACCES.
//
// The first refusal is the one that is reported: the later ones follow from it.
// A loader program that ran ends the search, whatever it returned.
func (r *run) putSigned() (*loaded, error) {
	var first error
	for profile := bpfabi.Bound; ; {
		result, err := r.try(profile)
		if err == nil {
			return &loaded{result, profile.String(), true}, nil
		}
		if isMissing(err) {
			// The object was sealed without it: not the kernel's answer.
			if first == nil {
				first = err
			}
		} else {
			if first == nil || isMissing(first) {
				first = err
			}
			failed, ok := errors.AsType[*kernelload.Error](err)
			if !ok {
				return nil, err
			}
			if failed.Step > kernelload.StepLoad {
				return nil, r.refusal(err)
			}
			if failed.Step == kernelload.StepLoad && failed.Errno == unix.EOPNOTSUPP {
				if cannot, probeErr := r.kernel.checksNothing(r.token); probeErr == nil && cannot {
					return r.putUnsigned(noVerification)
				}
			}
			if failed.Step != kernelload.StepLoad || failed.Errno != after(profile) {
				return nil, r.refusal(first)
			}
		}
		next, ok := r.next(profile)
		if !ok {
			return nil, r.refusal(first)
		}
		profile = next
	}
}

// after is the error that leads on from a profile.
func after(p bpfabi.Profile) unix.Errno {
	switch p {
	case bpfabi.Bound:
		return unix.EKEYREJECTED
	case bpfabi.SelfcheckExcl:
		return unix.EACCES
	default:
		return 0
	}
}

// next is the profile to try after p.
func (r *run) next(p bpfabi.Profile) (bpfabi.Profile, bool) {
	known, excl := r.kernel.hasExcl()
	switch {
	case p == bpfabi.Bound && known && !excl:
		return bpfabi.Selfcheck, true
	case p == bpfabi.Bound:
		return bpfabi.SelfcheckExcl, true
	case p == bpfabi.SelfcheckExcl && !known:
		return bpfabi.Selfcheck, true
	default:
		return 0, false
	}
}

// isMissing reports whether the object's signer left out what was tried.
func isMissing(err error) bool {
	_, missing := errors.AsType[*missingProfile](err)
	return missing
}

// missingProfile says that the object was sealed without a profile.
type missingProfile struct{ profile bpfabi.Profile }

func (e *missingProfile) Error() string {
	return "the object was sealed without the profile " + e.profile.String()
}

// try loads one profile's loader program.
func (r *run) try(p bpfabi.Profile) (*kernelload.Result, error) {
	instructions, cms, ok := r.src.loader(p)
	if !ok || len(cms) == 0 {
		return nil, &missingProfile{p}
	}
	return r.tryPayload(kernelload.Payload{Profile: p, Instructions: instructions, Metadata: r.src.metadata, CMS: cms})
}

// putUnsigned loads without the kernel's check, if that is allowed.
func (r *run) putUnsigned(why string) (*loaded, error) {
	if r.opt.KernelVerify != IfAvailable {
		return nil, &Error{verdict: Unsupported, Reason: "kernel-cannot-verify", Stage: "load", text: why,
			Hint: "--kernel-verify if-available accepts tbpf's own verification where the kernel has none"}
	}
	instructions, _, ok := r.src.loader(bpfabi.Bound)
	if !ok {
		return nil, lacks("load", "", "no-unsigned-profile", why+", and the object was sealed without the profile bound, which loads there", "")
	}
	result, err := r.tryPayload(kernelload.Payload{Profile: bpfabi.Bound, Instructions: instructions, Metadata: r.src.metadata})
	if err != nil {
		return nil, r.refusal(err)
	}
	return &loaded{result, unsigned, false}, nil
}

// tryPayload loads a payload. Where a verifier refused, all of it is done once
// more with a log, whose result is thrown away: the first answer counts.
func (r *run) tryPayload(p kernelload.Payload) (*kernelload.Result, error) {
	result, err := r.kernel.try(p, r.settings)
	failed, ok := errors.AsType[*kernelload.Error](err)
	if !ok || !wantsLog(failed) {
		return result, err
	}
	again := r.settings
	again.Log = &kernelload.Position{Stage: failed.Stage, Index: failed.Index}
	result, second := r.kernel.try(p, again)
	if second == nil {
		return nil, errors.Join(failed, result.Close())
	}
	logged, ok := errors.AsType[*kernelload.Error](second)
	if ok && logged.Step == failed.Step && logged.Errno == failed.Errno &&
		logged.Stage == failed.Stage && logged.Index == failed.Index {
		failed.Log = logged.Log
	}
	return nil, failed
}
