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

const asRoot = "run it as root"

func (f *Facts) kernel() Check {
	finding := fmt.Sprintf("Linux %s, %s", f.Release, f.Machine)
	entry := versionOf(f.Release)
	switch {
	case f.Machine != "x86_64" && f.Machine != "aarch64":
		return limited("kernel", finding+": tbpf is tested on x86_64 only", "")
	case entry == [2]int{}:
		return unknown("kernel", finding+": this release has no number that is known", "")
	case slices.Compare(entry[:], []int{6, 1}) < 0:
		return problem("kernel", codeKernel, finding+": tbpf needs 6.1", "boot a newer kernel: 6.1 loads, 6.9 has tokens, 6.18 checks signatures")
	}
	return ok("kernel", finding)
}

// versionOf reads the first two numbers of a release, zeroes if it has none.
func versionOf(release string) (v [2]int) {
	if n, err := fmt.Sscanf(release, "%d.%d", &v[0], &v[1]); n != 2 || err != nil || v[0] < 0 || v[1] < 0 {
		return [2]int{}
	}
	return v
}

func (f *Facts) lsm() Check {
	const id = "lsm"
	switch list := strings.Join(f.LSMs.Value, ","); {
	case errors.Is(f.LSMs.Err, fs.ErrNotExist):
		return problem(id, codeKernel, "whether the kernel calls BPF LSM programs cannot be seen: securityfs is not mounted", "mount -t securityfs securityfs /sys/kernel/security")
	case f.LSMs.Err != nil:
		return unknown(id, "the active security modules cannot be read: "+f.LSMs.Err.Error(), asRoot)
	case !slices.Contains(f.LSMs.Value, "bpf"):
		return problem(id, codeKernel, "bpf is not among the active security modules ("+list+"): BPF LSM programs attach without an error and are never called, and a gate is none",
			"boot with lsm="+strings.TrimPrefix(list+",bpf", ",")+" (and a kernel with CONFIG_BPF_LSM=y)")
	default:
		return ok(id, "bpf is among the active security modules: "+list)
	}
}

func (f *Facts) btf() Check {
	switch err := f.Types.Err; {
	case err == nil:
		return ok("btf", "the kernel shows its types")
	case errors.Is(err, fs.ErrNotExist):
		return problem("btf", codeKernel, "the kernel's types are missing: "+err.Error(), "mount sysfs on /sys; if it is, use a kernel with CONFIG_DEBUG_INFO_BTF=y")
	case hidden(err):
		return unknown("btf", "the kernel's types cannot be read: "+err.Error(), asRoot)
	default:
		return problem("btf", codeKernel, "the kernel's types cannot be read: "+err.Error(), "")
	}
}

// support is how far the kernel checks signatures of BPF programs.
type support uint8

const (
	supportUnknown support = iota
	supportNone            // a kernel before signatures
	supportOff             // built without checking
	supportOn
)

// signatures tells whether the kernel checks, and by which profile. What the
// kernel answered counts; its types tell the profile.
func (f *Facts) signatures() (support, bpfabi.Profile, bool) {
	profile, known := bpfabi.Bound, f.Types.Err == nil && f.Types.Value.Signatures
	switch t := f.Types.Value; {
	case t.Bound:
	case t.Excl:
		profile = bpfabi.SelfcheckExcl
	default:
		profile = bpfabi.Selfcheck
	}
	var errno syscall.Errno
	if !errors.As(f.Signature, &errno) {
		return supportUnknown, profile, known
	}
	switch errno {
	case syscall.EBADMSG: // it looked, and it is none
		return supportOn, profile, known
	case syscall.EOPNOTSUPP:
		return supportOff, profile, known
	case syscall.E2BIG:
		return supportNone, profile, false
	}
	if f.Types.Err == nil && !known {
		return supportNone, profile, false // it has no place for one
	}
	return supportUnknown, profile, known
}

func (f *Facts) signatureCheck() Check {
	const id = "signatures"
	s, profile, known := f.signatures()
	by := ""
	if known {
		by = ", profile " + profile.String()
	}
	without := "what tbpf-loader verified itself is all that counts there"
	switch s {
	case supportOn:
		return ok(id, "the kernel checks signatures of BPF programs"+by)
	case supportNone, supportOff:
		finding, remedy := "this kernel has no signatures of BPF programs: they came with Linux 6.18", "boot Linux 6.18 or newer"
		if s == supportOff {
			finding, remedy = "this kernel was built without checking signatures", "use a kernel with CONFIG_SYSTEM_DATA_VERIFICATION=y"
		}
		if hidden(f.Policy.Err) {
			return unknown(id, finding+", and whether the policy insists cannot be read", asRoot)
		}
		if f.policy().KernelVerify == policy.KernelIfAvailable {
			return limited(id, finding+", and the policy does not insist: "+without, remedy)
		}
		return problem(id, codeKernel, finding, remedy+", or set kernel-verify = \"if-available\" in the policy: "+without)
	}
	var errno syscall.Errno
	switch {
	case errors.As(f.Signature, &errno) && (errno == syscall.EPERM || errno == syscall.EACCES) && f.Root:
		return unknown(id, "a security module or the lack of a capability kept the kernel from answering ("+errno.Error()+")"+f.byTypes(by), "where a gate is on that may be its doing: `tbpf gate status`")
	case errors.As(f.Signature, &errno) && (errno == syscall.EPERM || errno == syscall.EACCES):
		return unknown(id, "whether the kernel checks signatures could not be asked"+f.byTypes(by), asRoot)
	case f.Signature == nil:
		return problem(id, codeKernel, "the kernel took a program with a signature that is none", "do not rely on this kernel's signatures")
	default:
		return unknown(id, "the kernel's answer is none that is known: "+f.Signature.Error(), "")
	}
}

// byTypes says what the kernel's types tell where it did not answer.
func (f *Facts) byTypes(by string) string {
	if by == "" {
		return ""
	}
	return "; by its types it has them" + by
}

func (f *Facts) tokens() Check {
	const id = "tokens"
	isolates := f.policy().Token != policy.TokenNever
	switch {
	case f.Tokens.Err != nil:
		return unknown(id, "whether the kernel has BPF tokens could not be asked: "+f.Tokens.Err.Error(), "")
	case !f.Tokens.Value && hidden(f.Policy.Err):
		return unknown(id, "this kernel has no BPF tokens, and whether the policy requires them cannot be read", asRoot)
	case !f.Tokens.Value && f.policy().Token == policy.TokenRequired:
		return problem(id, codeUnseen, "this kernel has no BPF tokens, which the policy requires: they came with Linux 6.9", "boot Linux 6.9 or newer")
	case !f.Tokens.Value:
		return limited(id, "this kernel has no BPF tokens: objects are loaded with root's own capabilities", "boot Linux 6.9 or newer")
	case errors.Is(f.Namespaces.Err, fs.ErrNotExist) && isolates:
		return problem(id, codeKernel, "the kernel has BPF tokens, and no user namespaces can be seen: "+f.Namespaces.Err.Error(), "mount proc on /proc; if it is, use a kernel with CONFIG_USER_NS=y")
	case f.Namespaces.Err == nil && f.Namespaces.Value == 0 && isolates:
		return problem(id, codeKernel, "the kernel has BPF tokens, and user namespaces, which they need, are turned off", "sysctl user.max_user_namespaces=100")
	}
	return ok(id, "the kernel has BPF tokens: each object is loaded with its own rights only")
}

func (f *Facts) unprivileged() Check {
	const id = "unprivileged-bpf"
	switch n := f.Unprivileged; {
	case n.Err != nil:
		return unknown(id, "the sysctl kernel.unprivileged_bpf_disabled cannot be read: "+n.Err.Error(), "mount proc on /proc")
	case n.Value == 0:
		return limited(id, "every process may load some kinds of BPF programs (kernel.unprivileged_bpf_disabled is 0)", "sysctl kernel.unprivileged_bpf_disabled=1")
	}
	return ok(id, "processes without privileges load no BPF")
}

func (f *Facts) bpffs() Check {
	const id, mount = "bpffs", "mount -t bpf -o mode=0700 bpf /sys/fs/bpf"
	switch m := f.BPFFS; {
	case hidden(m.Err):
		return unknown(id, "whether /sys/fs/bpf is a bpffs cannot be seen: "+m.Err.Error(), asRoot)
	case m.Err != nil:
		return problem(id, codeKernel, "there is no bpffs: "+m.Err.Error(), mount)
	case !m.Value.BPFFS:
		return problem(id, codeKernel, "no bpffs is mounted on /sys/fs/bpf: nothing can be pinned", mount)
	case m.Value.UID != 0:
		return problem(id, codeFiles, fmt.Sprintf("the bpffs on /sys/fs/bpf belongs to user %d", m.Value.UID), "chown 0:0 /sys/fs/bpf")
	case m.Value.Mode&0o022 != 0:
		return limited(id, fmt.Sprintf("a bpffs is mounted on /sys/fs/bpf, and others may make files in it (mode %04o)", m.Value.Mode), "chmod 0700 /sys/fs/bpf")
	}
	return ok(id, "a bpffs is mounted on /sys/fs/bpf")
}

func (f *Facts) lockdown() Check {
	const id = "lockdown"
	const remedy = "boot with lockdown=integrity, which Secure Boot turns on by itself in most distributions"
	switch l := f.Lockdown; {
	case errors.Is(l.Err, fs.ErrNotExist):
		return limited(id, "the kernel has no lockdown, or securityfs is not mounted: root can change the kernel itself, and no gate holds against that", remedy)
	case l.Err != nil:
		return unknown(id, "whether the kernel is locked down cannot be seen: "+l.Err.Error(), asRoot)
	case l.Value == "none":
		return limited(id, "the kernel is not locked down: root can change it (modules, kexec, /dev/mem), and no gate holds against that", remedy)
	case l.Value == "confidentiality":
		return limited(id, "confidentiality: the kernel keeps its memory from BPF: objects that call probe_read_kernel, or trace with kprobes, are refused or read zeroes", "lockdown=integrity, where such objects are needed")
	case l.Value == "integrity":
		return ok(id, "integrity: root cannot change the kernel")
	default:
		return unknown(id, "the kernel says "+l.Value+", which is not known", "")
	}
}
