package loader

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// wantsLog reports whether a verifier's log may explain the failure.
func wantsLog(e *kernelload.Error) bool {
	switch e.Errno {
	case unix.EPERM, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EKEYREJECTED, unix.ENOKEY, unix.EOPNOTSUPP:
		return false
	}
	switch e.Step {
	case kernelload.StepLoad:
		return true
	case kernelload.StepInside:
		return e.Stage == loadctx.StageBTF || e.Stage == loadctx.StageProgram
	default:
		return false
	}
}

// refusal says in words, with verdict and hint, why an attempt failed.
func (r *run) refusal(err error) error {
	if missing, ok := errors.AsType[*missingProfile](err); ok {
		return &Error{verdict: Unsupported, Reason: "no-profile", Stage: "load", text: missing.Error() + ", which this kernel takes"}
	}
	failed, ok := errors.AsType[*kernelload.Error](err)
	if !ok {
		return err
	}
	var e *Error
	if failed.Step == kernelload.StepInside {
		e = insideRefusal(failed, r.manifest, r.hasToken())
	} else {
		e = outerRefusal(failed, r.hasToken())
		if lacking := r.missingProfiles(); e.Reason == "signature-rejected" && lacking != "" {
			e.Hint = "the object was changed, or this kernel takes a profile that it was sealed without (" + lacking + ")"
		}
	}
	e.Log = tail(failed.Log)
	return e
}

// missingProfiles names the profiles that the object was sealed without.
func (r *run) missingProfiles() string {
	var names []string
	for _, p := range bpfabi.Profiles() {
		if _, _, ok := r.src.loader(p); !ok {
			names = append(names, p.String())
		}
	}
	return strings.Join(names, ", ")
}

// tail is the end of a verifier's log, from the start of a line.
func tail(log []byte) []byte {
	if len(log) <= MaxLog {
		return log
	}
	log = log[len(log)-MaxLog:]
	for i, c := range log {
		if c == '\n' {
			return log[i+1:]
		}
	}
	return log
}

// meaning is what an error number says of a step or stage.
type meaning struct {
	verdict Verdict
	reason  string
	text    string
	hint    string
}

// Hints that several errors have.
const (
	hintToken  = "the token's bpffs must delegate the commands and types that the manifest lists, and the caller have its capabilities in that user namespace"
	hintCaps   = "load as root, or give the capabilities that the manifest lists"
	hintDenied = "the gate (tbpf gate status), another security module, seccomp or a sysctl may deny it as well"
)

// common is what error numbers mean wherever they come from.
func common(errno syscall.Errno, token bool) (meaning, bool) {
	switch errno {
	case unix.EPERM:
		hint := hintCaps
		if token {
			hint = hintToken
		}
		return meaning{Permission, "not-permitted", "the kernel does not permit it", hint + "; " + hintDenied}, true
	case unix.ENOMEM:
		return meaning{Failed, "out-of-memory", "the kernel has no memory for it", "the memory limit of the control group counts"}, true
	case unix.EMFILE, unix.ENFILE:
		return meaning{Failed, "too-many-files", "no more files can be opened", "raise the limit of open files"}, true
	case unix.EAGAIN, unix.EINTR:
		return meaning{Failed, "interrupted", "it was interrupted again and again", "try once more"}, true
	}
	return meaning{}, false
}

// outerRefusal is about the metadata map and the loader program.
func outerRefusal(f *kernelload.Error, token bool) *Error {
	m, ok := signatureMeaning(f)
	if !ok {
		m, ok = common(f.Errno, token)
	}
	if !ok {
		switch f.Step {
		case kernelload.StepLoad:
			m = meaning{VerifierRefused, "loader-program-refused", "the BPF verifier refused it", "the kernel may be of a kind that the object was not sealed for"}
		case kernelload.StepRun:
			m = meaning{Failed, "loader-program-run", "it could not be run", ""}
		case kernelload.StepResult:
			m = meaning{Failed, "loader-program-result", "it did not do what the manifest says", ""}
		default:
			m = meaning{Failed, "metadata-map", "it could not be made", ""}
		}
	}
	e := m.error(f.Step.String(), "", f.Errno)
	e.cause = f.Cause
	return e
}

// signatureMeaning is about loading a signed loader program (kernel-side:
// crypto/asymmetric_keys/pkcs7_*.c, kernel/bpf/verifier.c).
func signatureMeaning(f *kernelload.Error) (meaning, bool) {
	if f.Step != kernelload.StepLoad {
		return meaning{}, false
	}
	switch f.Errno {
	case unix.EKEYREJECTED:
		return meaning{KernelRefused, "signature-rejected", "the kernel refused the signature: it is not one over these instructions and this metadata", ""}, true
	case unix.ENOKEY:
		return meaning{KernelRefused, "signer-not-in-keyring", "the kernel keyring does not hold the signer's certificate",
			"enroll the certificate there, or load without --kernel-keyring"}, true
	case unix.EBADMSG:
		return meaning{KernelRefused, "signature-malformed", "the kernel does not understand the signature", ""}, true
	case unix.EKEYEXPIRED, unix.EKEYREVOKED:
		return meaning{KernelRefused, "keyring-dead", "the kernel keyring is expired or revoked", ""}, true
	case unix.ENOPKG:
		return meaning{Unsupported, "algorithm-unsupported", "this kernel does not have the signature's algorithm", "sign with ecdsa-p256 or RSA"}, true
	case unix.EOPNOTSUPP:
		return meaning{Unsupported, "kernel-cannot-verify", "this kernel does not check signatures", ""}, true
	case unix.E2BIG:
		return meaning{Unsupported, "kernel-too-old", "this kernel does not know signatures of BPF programs, or the program is too large for it", ""}, true
	case unix.EINVAL:
		return meaning{KernelRefused, "keyring-not-found", "the kernel finds no such keyring, or does not take the loader program",
			"give --kernel-keyring the serial number of a keyring that exists in this user namespace; bpf needs Linux 7.4"}, true
	}
	return meaning{}, false
}

// insideRefusal is about what the loader program did.
func insideRefusal(f *kernelload.Error, m *manifest.Manifest, token bool) *Error {
	name, what := subject(f, m)
	why, ok := stageMeaning(f)
	if !ok {
		why, ok = common(f.Errno, token)
	}
	if !ok {
		why = meaning{Failed, "load-failed", "the kernel refused it", ""}
	}
	e := why.error(what, name, f.Errno)
	if f.Stage == loadctx.StageTunable && name != "" {
		e.text += ", which is to be " + m.Tunables[f.Index].Words()
	}
	if f.Stage == loadctx.StageSymbol && f.Errno == unix.EPERM {
		e.Hint = "addresses of kernel symbols need CAP_SYSLOG in the initial user namespace"
	}
	return e
}

// stageMeaning is about the stages that have meanings of their own.
func stageMeaning(f *kernelload.Error) (meaning, bool) {
	switch f.Stage {
	case loadctx.StageStart, loadctx.StageLatch, loadctx.StageSelfCheck:
		if f.Errno == unix.EKEYREJECTED {
			return meaning{KernelRefused, "metadata-rejected", "the metadata is not what was signed", ""}, true
		}
	case loadctx.StageInput:
		if f.Errno == unix.EINVAL {
			return meaning{Failed, "attach-target", "its attach target is not one", ""}, true
		}
	case loadctx.StageTunable:
		return meaning{NotAllowed, "tunable-range", "the loader program refused its value", ""}, true
	case loadctx.StageTarget:
		if f.Errno == unix.ENOENT {
			return meaning{Unsupported, "attach-target-missing", "this kernel does not have its attach target", `SEC("?...") makes a program optional`}, true
		}
	case loadctx.StageSymbol:
		if f.Errno == unix.ENOENT || f.Errno == unix.ESRCH {
			return meaning{Unsupported, "symbol-missing", "this kernel does not have it", "declare it __weak if the program can do without"}, true
		}
	case loadctx.StageBTF:
		if f.Errno != unix.EPERM && f.Errno != unix.ENOMEM {
			return meaning{VerifierRefused, "types-refused", "the kernel refused the object's BTF", ""}, true
		}
	case loadctx.StageMap, loadctx.StageMapInit, loadctx.StageMapFreeze, loadctx.StageProgArray:
		switch f.Errno {
		case unix.EINVAL, unix.EOPNOTSUPP, errnoENOTSUPP, unix.E2BIG:
			return meaning{Unsupported, "map-unsupported", "this kernel does not take it", ""}, true
		}
	case loadctx.StageProgram:
		switch f.Errno {
		case unix.EPERM, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.EINTR:
			return meaning{}, false
		case unix.EOPNOTSUPP, errnoENOTSUPP:
			return meaning{Unsupported, "program-unsupported", "this kernel does not have this kind of program", ""}, true
		}
		return meaning{VerifierRefused, "program-refused", "the BPF verifier refused it", ""}, true
	case loadctx.StageLayout:
		switch f.Errno {
		case unix.EOPNOTSUPP:
			return meaning{Unsupported, "layout-unknown", "this kernel lays its structure out as none that it was signed for", "sign it with this kernel's types as well (--kernel-btf /sys/kernel/btf/vmlinux)"}, true
		case unix.ENOENT:
			return meaning{Unsupported, "structure-missing", "this kernel has no such structure for programs to fill in", ""}, true
		}
	case loadctx.StageAttach, loadctx.StageMapLink:
		switch f.Errno {
		case unix.EBUSY, unix.EEXIST:
			return meaning{Failed, "attach-busy", "something else is attached there", ""}, true
		case unix.ENODEV, unix.ENOENT:
			return meaning{Failed, "attach-target", "its attach target is gone", ""}, true
		case unix.EINVAL, unix.EOPNOTSUPP, errnoENOTSUPP:
			return meaning{Unsupported, "attach-unsupported", "this kernel does not attach it there", ""}, true
		}
	}
	return meaning{}, false
}

// subject is the name of the map, program or symbol that failed, and what it is.
func subject(f *kernelload.Error, m *manifest.Manifest) (name, what string) {
	i := uint64(f.Index)
	switch f.Stage {
	case loadctx.StageMap, loadctx.StageMapInit, loadctx.StageMapFreeze, loadctx.StageProgArray,
		loadctx.StageLayout, loadctx.StageMapLink:
		if i < uint64(len(m.Maps)) {
			return m.Maps[i].Name, f.Stage.String()
		}
	case loadctx.StageInput, loadctx.StageTarget, loadctx.StageProgram, loadctx.StageAttach:
		if i >= uint64(len(m.Programs)) {
			break
		}
		p := &m.Programs[i]
		what = f.Stage.String()
		switch f.Stage {
		case loadctx.StageTarget, loadctx.StageAttach:
			if p.AttachTarget != "" {
				what = fmt.Sprintf("%s %s of program", f.Stage, p.AttachTarget)
			} else {
				what = "attach program"
			}
		case loadctx.StageInput:
			what = "attach program"
		}
		return p.Name, what
	case loadctx.StageTunable:
		if i < uint64(len(m.Tunables)) {
			return m.Tunables[i].Name, f.Stage.String()
		}
	case loadctx.StageSymbol:
		if i < uint64(len(m.Symbols)) {
			return m.Symbols[i].Name, f.Stage.String()
		}
	}
	return "", "loader program, " + f.Stage.String()
}

// tunableError is the refusal of a value before the kernel has seen it. The
// kernel would refuse it as well.
func tunableError(err error) *Error {
	e := failure("variable", "", "tunable", err)
	if refused, ok := errors.AsType[*manifest.TunableError](err); ok {
		e.verdict, e.Reason, e.Name, e.text, e.cause = NotAllowed, refused.Reason, refused.Name, refused.Detail, nil
	}
	return e
}

// error makes the Error of a meaning.
func (m meaning) error(stage, name string, errno syscall.Errno) *Error {
	return &Error{verdict: m.verdict, Reason: m.reason, Stage: stage, Name: name, Errno: errno, Hint: m.hint, text: m.text}
}
