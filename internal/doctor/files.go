package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/policy"
)

// LoaderPath is where docs/boot.md installs the trusted loader.
const LoaderPath = "/usr/lib/tbpf/tbpf-loader"

// notRoots is a file that decides and that others than root could have written.
type notRoots struct{ err error }

func (e *notRoots) Error() string { return e.err.Error() }
func (e *notRoots) Unwrap() error { return e.err }

// mending is the remedy for a file that cannot be used.
func mending(err error, content string) string {
	var owned *notRoots
	if errors.As(err, &owned) {
		return ownership
	}
	return content
}

const ownership = "root must own it and every directory above it, nobody else may write to them, and none may be a symbolic link: chown 0:0, chmod go-w"

// policy is the machine's, or the defaults where it has none that can be read.
func (f *Facts) policy() *policy.Policy {
	if f.Policy.Err != nil || f.Policy.Value == nil {
		return policy.Default()
	}
	return f.Policy.Value
}

func (f *Facts) policyCheck() Check {
	const id = "policy"
	switch err := f.Policy.Err; {
	case errors.Is(err, fs.ErrNotExist):
		return problem(id, codeFiles, "there is no /etc/tbpf/policy.toml: tbpf-loader loads nothing", "install -D -m 0644 /dev/null /etc/tbpf/policy.toml (an empty file has the defaults)")
	case hidden(err):
		return unknown(id, "the policy cannot be read: "+err.Error(), asRoot)
	case err != nil:
		return problem(id, codeFiles, err.Error(), mending(err, "docs/policy.md has every key; with one that is wrong nothing is loaded"))
	}
	p := f.Policy.Value
	c := ok(id, "only root can have written /etc/tbpf/policy.toml")
	c.Details = []string{fmt.Sprintf("threshold %d, kernel-verify %s, token %s", p.Threshold, words("required", "if-available")(int(p.KernelVerify)), words("required", "where-supported", "never")(int(p.Token)))}
	if p.KernelKeyring != "" {
		c.Details = append(c.Details, "kernel-keyring "+p.KernelKeyring)
	}
	return c
}

// words are the policy's own for small numbers.
func words(list ...string) func(int) string {
	return func(i int) string {
		if i < len(list) {
			return list[i]
		}
		return "unknown"
	}
}

func (f *Facts) loaderCheck() Check {
	const id = "loader"
	switch err := f.Loader.Err; {
	case errors.Is(err, fs.ErrNotExist):
		return limited(id, LoaderPath+" is not installed: nothing is loaded at boot, and no gate knows the loader", "install -D -m 0755 tbpf-loader "+LoaderPath)
	case hidden(err):
		return unknown(id, err.Error(), asRoot)
	case err != nil:
		return problem(id, codeFiles, err.Error(), mending(err, "install tbpf-loader anew"))
	case !f.Loader.Value.Executable:
		return problem(id, codeFiles, LoaderPath+" is not executable by everybody: its worker, an unprivileged user, cannot start it", "chmod 0755 "+LoaderPath)
	}
	return ok(id, "only root can have written "+LoaderPath)
}

func (f *Facts) gate() Check {
	const id = "gate"
	const remedy = "`tbpf gate enable`, or start the machine anew"
	asked := f.Policy.Err == nil && f.Policy.Value != nil && f.Policy.Value.Gate != nil
	switch mode := f.Gate.Value; {
	case hidden(f.Gate.Err):
		return unknown(id, "whether there is a gate cannot be asked", asRoot)
	case f.Gate.Err != nil:
		return unknown(id, "whether there is a gate could not be found out: "+f.Gate.Err.Error(), "")
	case mode == "enforce":
		return ok(id, "the gate is on: what nobody signed is refused, for everybody")
	case mode == "audit":
		return limited(id, "the gate is on and only audits: it refuses nothing", "mode = \"enforce\" in the policy's table [gate], and a restart")
	case asked:
		return problem(id, codeFiles, "the policy asks for a gate, and none is on ("+mode+")", remedy)
	}
	return limited(id, "there is no gate: whoever may load BPF loads what he likes with other tools", "docs/gate.md")
}

func (f *Facts) verity() Check {
	const id = "fs-verity"
	const otherwise = "; a gate then knows it by device and inode and guards the file"
	switch v := f.Loader.Value.Verity; {
	case errors.Is(f.Loader.Err, fs.ErrNotExist):
		return limited(id, LoaderPath+" is not there to be sealed", "")
	case f.Loader.Err != nil:
		return unknown(id, "the file system of "+LoaderPath+" was not asked: see loader", "")
	case v.Err == nil:
		return ok(id, LoaderPath+" is sealed by fs-verity, "+v.Value)
	case errors.Is(v.Err, syscall.ENODATA):
		return limited(id, "its file system has fs-verity, and "+LoaderPath+" does not use it"+otherwise, "fsverity enable "+LoaderPath+" (package fsverity)")
	case errors.Is(v.Err, syscall.ENOTTY), errors.Is(v.Err, syscall.EOPNOTSUPP):
		return limited(id, "the file system of "+LoaderPath+" has no fs-verity"+otherwise, "ext4: tune2fs -O verity; btrfs and f2fs can as well")
	default:
		return unknown(id, "fs-verity of "+LoaderPath+": "+v.Err.Error(), "")
	}
}

func (f *Facts) floorCheck() Check {
	const id = "rollback-floor"
	switch err := f.Floor.Err; {
	case errors.Is(err, fs.ErrNotExist) && f.policy().Floor == policy.FloorRequired:
		return problem(id, codeFloor, "the policy requires an account of versions, and there is none", "if nobody removed it: run tbpf-loader boot once with state = \"first-boot\"")
	case errors.Is(err, fs.ErrNotExist):
		return ok(id, "no version is remembered yet")
	case hidden(err):
		return unknown(id, err.Error(), asRoot)
	case err != nil:
		return problem(id, codeFloor, err.Error(), mending(err, "find out who changed it; tbpf-loader loads nothing until it is right or gone"))
	}
	return ok(id, "the account of versions is whole, last written "+f.Floor.Value.Time.UTC().Format("2006-01-02 15:04:05"))
}

func (f *Facts) revocations() Check {
	const id = "revocations"
	switch err := f.Revoked.Err; {
	case f.unseen():
		return unknown(id, "not checked: policy, keyring or rollback floor cannot be read", "see there")
	case hidden(err):
		return unknown(id, err.Error(), asRoot)
	case err != nil:
		return problem(id, codeRevoked, err.Error(), mending(err, "nothing is loaded until every list in /etc/tbpf/revoked.d is right and the policy's are there"))
	case len(f.Revoked.Value.Seen()) == 0:
		return ok(id, "there is no revocation list")
	}
	return ok(id, fmt.Sprintf("%d lists, each signed by a key that this machine trusts", len(f.Revoked.Value.Seen())))
}

// unseen reports whether what decides about signatures is there and was not
// read: then nothing is known of what was signed.
func (f *Facts) unseen() bool {
	for _, err := range []error{f.Policy.Err, f.Keyring.Err, f.Floor.Err} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

func (f *Facts) bootSet() []Check {
	const id = "boot-set"
	switch err := f.BootSet.Err; {
	case errors.Is(err, fs.ErrNotExist):
		return []Check{ok(id, "there is no /etc/tbpf/boot.d: nothing is loaded at boot")}
	case hidden(err):
		return []Check{unknown(id, err.Error(), asRoot)}
	case err != nil:
		return []Check{problem(id, codeBootSet, err.Error(), mending(err, "of a set that has one wrong file nothing is loaded: docs/boot-set.md"))}
	}
	checks := []Check{ok(id, fmt.Sprintf("%d in /etc/tbpf/boot.d", len(f.BootSet.Value)))}
	for i := range f.BootSet.Value {
		c := f.object(&f.BootSet.Value[i])
		c.Subject = f.BootSet.Value[i].Entry.Name
		checks = append(checks, c)
	}
	return checks
}

func (f *Facts) object(o *Object) Check {
	const id = "object"
	switch {
	case !o.Entry.For(f.Release):
		return ok(id, "not for this kernel ("+o.Entry.Source+")")
	case hidden(o.Err):
		return unknown(id, o.Err.Error(), asRoot)
	case f.unseen() || f.Revoked.Err != nil:
		return unknown(id, "not verified: policy, keyring, rollback floor or revocations cannot be used", "see there")
	case o.Err != nil:
		return problem(id, o.Code, o.Err.Error(), mending(o.Err, "`tbpf verify "+o.Entry.File+" --keyring /etc/tbpf/keyring.d` says more"))
	case o.Needs != nil:
		return problem(id, o.NeedCode, o.Needs.Error(), "")
	}
	return f.profileOf(o)
}

// profileOf judges whether the kernel takes one of the object's profiles: the
// profiles exclude each other, and no kernel takes a weaker one.
func (f *Facts) profileOf(o *Object) Check {
	const id = "object"
	var has []string
	for _, p := range o.Verified.Profiles() {
		has = append(has, p.String())
	}
	s, profile, known := f.signatures()
	list := strings.Join(has, ", ")
	switch {
	case s == supportOn && o.Verified.KernelCertificate() == nil:
		return problem(id, codeKeyring, "it has no signature for the kernel, and this kernel checks them", "sign it with --kernel-key")
	case s == supportOn && !known, s == supportUnknown:
		return unknown(id, "verified, with profile "+list+"; which one this kernel takes is not known", "see signatures")
	case s == supportOn && !slices.Contains(has, profile.String()):
		return problem(id, codeKeyring, "it was signed for "+list+", and this kernel takes "+profile.String(), "sign it with --profile "+strings.Join(append(has, profile.String()), ","))
	case s == supportOn:
		return ok(id, "verified; this kernel takes its profile "+profile.String())
	case !slices.Contains(has, bpfabi.Bound.String()):
		return problem(id, codeKernel, "it was signed without the profile bound, which loads on kernels that check no signatures", "sign it with --profile "+strings.Join(append([]string{"bound"}, has...), ","))
	}
	return ok(id, "verified; this kernel checks no signature")
}

// Examine judges what was read.
func Examine(f *Facts) *Report {
	r := &Report{Release: f.Release, Machine: f.Machine, Checks: []Check{
		f.kernel(), f.policyCheck(), f.lsm(), f.btf(), f.signatureCheck(), f.keyrings(), f.tokens(), f.unprivileged(), f.bpffs(), f.lockdown(),
		f.loaderCheck(), f.verity(), f.trustedKeys(), f.floorCheck(), f.revocations(), f.gate(),
	}}
	r.Checks = append(r.Checks, f.bootSet()...)
	return r
}
