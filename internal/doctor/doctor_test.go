package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
)

// well is a machine of today with which nothing is wrong.
func well() *Facts {
	p := policy.Default()
	return &Facts{
		Release: "7.3.4+deb13-cloud-amd64", Machine: "x86_64", Root: true, Now: time.Unix(1790000000, 0),
		LSMs: Fact[[]string]{Value: []string{"lockdown", "bpf"}}, Lockdown: Fact[string]{Value: "integrity"},
		Types: Fact[Types]{Value: Types{Signatures: true, Excl: true, Bound: true}}, Signature: syscall.EBADMSG,
		Tokens: Fact[bool]{Value: true}, Namespaces: Fact[int]{Value: 100}, Unprivileged: Fact[int]{Value: 2},
		BPFFS:    Fact[Mount]{Value: Mount{BPFFS: true, Mode: 0o700}},
		Keyrings: Fact[[]SystemKeyring]{Value: []SystemKeyring{{Name: ".platform"}}},
		Loader:   Fact[LoaderFile]{Value: LoaderFile{Executable: true, Verity: Fact[string]{Value: "sha256:00"}}},
		Policy:   Fact[*policy.Policy]{Value: p}, Keyring: Fact[*keys.Keyring]{Value: keys.NewKeyring(&keys.TrustedKey{})},
		BootSet: Fact[[]Object]{Err: fs.ErrNotExist}, Gate: Fact[string]{Value: "enforce"},
	}
}

func TestAWellMachineIsWell(t *testing.T) {
	f := well()
	f.Floor.Err = fs.ErrNotExist
	r := Examine(f)
	if r.ExitCode() != 0 || r.Error() != nil || r.Count(OK) != len(r.Checks) {
		t.Errorf("%+v, %v", r.Checks, r.Error())
	}
}

// An answer that was refused is no answer, whatever it was about.
func TestDeniedIsUnknown(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}
	for name, change := range map[string]func(*Facts){
		"lsm":             func(f *Facts) { f.LSMs.Err = denied },
		"btf":             func(f *Facts) { f.Types.Err = denied },
		"signatures":      func(f *Facts) { f.Signature = syscall.EPERM },
		"kernel-keyrings": func(f *Facts) { f.Keyrings.Value[0].Keys.Err = syscall.EACCES },
		"tokens":          func(f *Facts) { f.Tokens.Err = syscall.EPERM },
		"bpffs":           func(f *Facts) { f.BPFFS.Err = denied },
		"lockdown":        func(f *Facts) { f.Lockdown.Err = denied },
		"loader":          func(f *Facts) { f.Loader.Err = denied },
		"fs-verity":       func(f *Facts) { f.Loader.Value.Verity.Err = syscall.EACCES },
		"policy":          func(f *Facts) { f.Policy.Err = denied },
		"keyring":         func(f *Facts) { f.Keyring.Err = denied },
		"rollback-floor":  func(f *Facts) { f.Floor.Err = denied },
		"revocations":     func(f *Facts) { f.Revoked.Err = denied },
		"boot-set":        func(f *Facts) { f.BootSet.Err = denied },
		"gate":            func(f *Facts) { f.Gate.Err = syscall.EPERM },
	} {
		f := well()
		f.Floor.Err = fs.ErrNotExist
		change(f)
		r := Examine(f)
		found := false
		for _, c := range r.Checks {
			found = found || c.ID == name && c.Status == Unknown
			if c.Status == Problem {
				t.Errorf("%s denied: %s is a problem: %s", name, c.ID, c.Finding)
			}
		}
		var e *Error
		if !found || r.ExitCode() != 22 || !errors.As(r.Error(), &e) || e.Reason != "not-all-seen" || !strings.Contains(e.Error(), name) {
			t.Errorf("%s denied: unknown %v, exit code %d, %v", name, found, r.ExitCode(), r.Error())
		}
	}
}

// What the kernel answers to a signature that is none, and its types, tell how
// far it checks; neither is taken for the other.
func TestSignatureSupport(t *testing.T) {
	old, first, excl, bound := Types{}, Types{Signatures: true}, Types{Signatures: true, Excl: true}, Types{Signatures: true, Excl: true, Bound: true}
	hidden := Fact[Types]{Err: fs.ErrNotExist}
	for _, test := range []struct {
		types  Fact[Types]
		answer error
		status Status
		says   string
	}{
		{Fact[Types]{Value: bound}, syscall.EBADMSG, OK, "profile bound"},
		{Fact[Types]{Value: excl}, syscall.EBADMSG, OK, "profile selfcheck-excl"},
		{Fact[Types]{Value: first}, syscall.EBADMSG, OK, "profile selfcheck"},
		{hidden, syscall.EBADMSG, OK, "the kernel checks"},
		{Fact[Types]{Value: bound}, syscall.EOPNOTSUPP, Problem, "built without"},
		{Fact[Types]{Value: old}, syscall.E2BIG, Problem, "no signatures"},
		{Fact[Types]{Value: old}, syscall.EPERM, Problem, "no signatures"}, // it has no place for one
		{Fact[Types]{Value: bound}, syscall.EPERM, Unknown, "by its types it has them, profile bound"},
		{hidden, syscall.EPERM, Unknown, "kept the kernel from answering"},
		{Fact[Types]{Value: bound}, nil, Problem, "took a program with a signature that is none"},
		{Fact[Types]{Value: bound}, syscall.ENOSYS, Unknown, "none that is known"},
	} {
		f := well()
		f.Types, f.Signature = test.types, test.answer
		if c := f.signatureCheck(); c.Status != test.status || !strings.Contains(c.Finding, test.says) {
			t.Errorf("%+v and %v: %v %q, want %v %q", test.types, test.answer, c.Status, c.Finding, test.status, test.says)
		}
	}
	f := well()
	f.Types.Value, f.Signature = old, syscall.E2BIG
	f.Policy.Value.KernelVerify = policy.KernelIfAvailable
	if c := f.signatureCheck(); c.Status != Limited {
		t.Errorf("the policy does not insist: %v", c.Status)
	}
}

// The exit code is that of the first problem; what could not be seen comes
// after every problem, and is never 0.
func TestExitCodes(t *testing.T) {
	for want, list := range map[int][]Check{
		0:  {ok("a", "x"), limited("b", "x", "")},
		22: {ok("a", "x"), unknown("b", "x", ""), limited("c", "x", "")},
		16: {unknown("a", "x", ""), problem("b", 16, "x", ""), problem("c", 23, "x", "")},
	} {
		if r := (&Report{Checks: list}); r.ExitCode() != want {
			t.Errorf("exit code %d, want %d", r.ExitCode(), want)
		}
	}
}

func TestReleasesThatAreNone(t *testing.T) {
	for release, want := range map[string]Status{"6.1.0-50": OK, "5.15.1": Problem, "7.3": OK, "custom": Unknown, "": Unknown, "6": Unknown, "-1.2": Unknown} {
		f := well()
		f.Release = release
		if c := f.kernel(); c.Status != want {
			t.Errorf("%q: %v, want %v", release, c.Status, want)
		}
	}
}

func TestKernelKeyringsAreTheKernelsOwn(t *testing.T) {
	text := `0126a2ed I------     1 perm 1f030000     0     0 keyring   .platform: 2
1b2d3e4f I------     2 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: 1
0000002a I--Q---     1 perm 3f030000  1000  1000 keyring   .platform: 1
0000002b I--Q---     1 perm 3f030000     0     0 asymmetri .platform: X509.rsa 00000000 []
0000002c I--Q---     1 perm 3f030000     0     0 keyring   _ses: 1
zzzzzzzz I------     1 perm 1f030000     0     0 keyring   .machine: empty
`
	got := fmt.Sprint(kernelKeyrings(text))
	if want := "[{19309293 .platform} {455949903 .builtin_trusted_keys}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzKernelKeyrings(f *testing.F) {
	f.Add("0126a2ed I------     1 perm 1f030000     0     0 keyring   .platform: 2\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		for _, ring := range kernelKeyrings(text) {
			if ring.serial <= 0 || !trustAnchor(ring.name) {
				t.Errorf("%+v", ring)
			}
		}
	})
}

// A gate that is asked for and not on is a problem; one that only audits is
// never taken for one that refuses.
func TestGateStates(t *testing.T) {
	for _, test := range []struct {
		mode  string
		asked bool
		want  Status
	}{{"enforce", true, OK}, {"audit", true, Limited}, {"none", true, Problem}, {"not-armed", true, Problem}, {"none", false, Limited}, {"not-armed", false, Limited}} {
		f := well()
		f.Gate.Value = test.mode
		if test.asked {
			f.Policy.Value.Gate = &policy.Gate{}
		}
		if c := f.gate(); c.Status != test.want {
			t.Errorf("%+v: %v", test, c)
		}
	}
}
