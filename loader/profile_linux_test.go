package loader

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// fakeKernel answers as a kernel of some release was seen to (the project's
// record of five booted kernels).
type fakeKernel struct {
	signatures bool // knows exclusive maps and signatures
	nothing    bool // built without checking
	known      bool // its types can be read
	excl       bool
	answers    map[string]error // by profile, or "unsigned"; no entry: it loads
	tried      []string
}

func (k *fakeKernel) try(p kernelload.Payload, _ kernelload.Settings) (*kernelload.Result, error) {
	name := p.Profile.String()
	if p.CMS == nil {
		name = unsigned
	}
	if n := len(k.tried); n == 0 || k.tried[n-1] != name { // once more for a log is not another try
		k.tried = append(k.tried, name)
	}
	if err := k.answers[name]; err != nil {
		return nil, err
	}
	return &kernelload.Result{}, nil
}

func (k *fakeKernel) hasSignatures(*bpfsys.FD) (bool, error) { return k.signatures, nil }
func (k *fakeKernel) checksNothing(*bpfsys.FD) (bool, error) { return k.nothing, nil }
func (k *fakeKernel) hasExcl() (known, excl bool)            { return k.known, k.excl }

// fakeSealed has loader programs that no kernel sees.
type fakeSealed struct {
	mini
	profiles []bpfabi.Profile
	unsigned bool
}

func (s *fakeSealed) Loader(p bpfabi.Profile) ([]byte, []byte, bool) {
	if !slices.Contains(s.profiles, p) {
		return nil, nil, false
	}
	if s.unsigned {
		return []byte{1}, nil, true
	}
	return []byte{1}, []byte{2}, true
}

func (s *fakeSealed) KernelCertificate() *x509.Certificate { return nil }

func (s *fakeSealed) KernelSignerIssued() bool { return false }

func at(step kernelload.Step, errno unix.Errno) error {
	return &kernelload.Error{Step: step, Errno: errno, Cause: errno}
}

func TestProfilesArePickedByWhatTheKernelSays(t *testing.T) {
	const load = kernelload.StepLoad
	rejected, denied := at(load, unix.EKEYREJECTED), at(load, unix.EACCES)
	inside := &kernelload.Error{Step: kernelload.StepInside, Errno: unix.EKEYREJECTED, Stage: loadctx.StageSelfCheck}
	all := bpfabi.Profiles()
	for name, c := range map[string]struct {
		kernel   fakeKernel
		profiles []bpfabi.Profile
		tried    string
		got      string // profile, or reason of the refusal
	}{
		"7.3":                 {fakeKernel{signatures: true, known: true}, all, "bound", "bound"},
		"7.2":                 {fakeKernel{signatures: true, known: true, excl: true, answers: map[string]error{"bound": rejected}}, all, "bound selfcheck-excl", "selfcheck-excl"},
		"6.18.15":             {fakeKernel{signatures: true, known: true, answers: map[string]error{"bound": rejected}}, all, "bound selfcheck", "selfcheck"},
		"6.18.15 without BTF": {fakeKernel{signatures: true, answers: map[string]error{"bound": rejected, "selfcheck-excl": denied}}, all, "bound selfcheck-excl selfcheck", "selfcheck"},
		"7.2 without BTF":     {fakeKernel{signatures: true, answers: map[string]error{"bound": rejected}}, all, "bound selfcheck-excl", "selfcheck-excl"},

		// Tampered: the first refusal is the one to tell.
		"7.3 tampered":             {fakeKernel{signatures: true, known: true, answers: map[string]error{"bound": rejected, "selfcheck": denied}}, all, "bound selfcheck", "signature-rejected"},
		"7.3 tampered without BTF": {fakeKernel{signatures: true, answers: map[string]error{"bound": rejected, "selfcheck-excl": denied, "selfcheck": denied}}, all, "bound selfcheck-excl selfcheck", "signature-rejected"},
		"7.2 tampered":             {fakeKernel{signatures: true, known: true, excl: true, answers: map[string]error{"bound": rejected, "selfcheck-excl": inside}}, all, "bound selfcheck-excl", "metadata-rejected"},
		"6.18 tampered":            {fakeKernel{signatures: true, known: true, answers: map[string]error{"bound": rejected, "selfcheck": inside}}, all, "bound selfcheck", "metadata-rejected"},

		// A17: a kernel with excl is never offered the profile without.
		"never selfcheck where excl is": {fakeKernel{signatures: true, known: true, excl: true, answers: map[string]error{"bound": rejected, "selfcheck-excl": rejected}}, all, "bound selfcheck-excl", "signature-rejected"},

		// Only EKEYREJECTED and the verifier's EACCES lead on.
		"not permitted":      {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.EPERM)}}, all, "bound", "not-permitted"},
		"no such key":        {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.ENOKEY)}}, all, "bound", "signer-not-in-keyring"},
		"no such keyring":    {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.EINVAL)}}, all, "bound", "keyring-not-found"},
		"revoked keyring":    {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.EKEYREVOKED)}}, all, "bound", "keyring-dead"},
		"malformed":          {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.EBADMSG)}}, all, "bound", "signature-malformed"},
		"algorithm":          {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.ENOPKG)}}, all, "bound", "algorithm-unsupported"},
		"too large":          {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.E2BIG)}}, all, "bound", "kernel-too-old"},
		"bound denied":       {fakeKernel{signatures: true, answers: map[string]error{"bound": denied}}, all, "bound", "loader-program-refused"},
		"map denied":         {fakeKernel{signatures: true, answers: map[string]error{"bound": at(kernelload.StepMap, unix.EKEYREJECTED)}}, all, "bound", "metadata-map"},
		"excl not permitted": {fakeKernel{signatures: true, answers: map[string]error{"bound": rejected, "selfcheck-excl": at(load, unix.EPERM)}}, all, "bound selfcheck-excl", "signature-rejected"},

		// Sealed without a profile.
		"7.2 without selfcheck-excl": {fakeKernel{signatures: true, known: true, excl: true, answers: map[string]error{"bound": rejected}}, []bpfabi.Profile{bpfabi.Bound}, "bound", "signature-rejected"},
		"7.3 without bound":          {fakeKernel{signatures: true, known: true, answers: map[string]error{"selfcheck": denied}}, []bpfabi.Profile{bpfabi.Selfcheck}, "selfcheck", "loader-program-refused"},
		"no profile at all":          {fakeKernel{signatures: true, known: true, excl: true}, nil, "", "no-profile"},
	} {
		t.Run(name, func(t *testing.T) {
			k := c.kernel
			r := &run{kernel: &k, src: sealedBy(&fakeSealed{profiles: c.profiles}), manifest: &manifest.Manifest{KernelSigner: &manifest.KernelSigner{}},
				ring: func() (int32, error) { return 3, nil }, opt: Options{KernelVerify: IfAvailable}}
			got, err := r.put()
			if tried := strings.Join(k.tried, " "); tried != c.tried {
				t.Errorf("tried %q, want %q", tried, c.tried)
			}
			var e *Error
			switch {
			case err == nil:
				if got.profile != c.got || !got.verified {
					t.Errorf("loaded as %s, verified %v; want %s", got.profile, got.verified, c.got)
				}
			case !errors.As(err, &e):
				t.Errorf("untyped error %v", err)
			case e.Reason != c.got:
				t.Errorf("refused with %s (%v), want %s", e.Reason, err, c.got)
			}
		})
	}
}

// A load without the kernel's check is for kernels that check nothing, and only
// when it was asked for.
func TestUnsignedIsOnlyForKernelsThatCannotCheck(t *testing.T) {
	const load = kernelload.StepLoad
	notBuilt := map[string]error{"bound": at(load, unix.EOPNOTSUPP)}
	ringFails := func() (int32, error) { return 0, failure("kernel keyring", "", "keyring-failed", unix.ENODEV) }
	ring := func() (int32, error) { return 3, nil }
	signed := &manifest.Manifest{KernelSigner: &manifest.KernelSigner{}}
	for name, c := range map[string]struct {
		kernel fakeKernel
		m      *manifest.Manifest
		ring   func() (int32, error)
		asked  KernelVerify
		got    string
	}{
		"old kernel":                         {fakeKernel{}, signed, ring, IfAvailable, unsigned},
		"old kernel, required":               {fakeKernel{}, signed, ring, Required, "kernel-cannot-verify"},
		"old kernel, no kernel signature":    {fakeKernel{}, &manifest.Manifest{}, ring, IfAvailable, unsigned},
		"built without":                      {fakeKernel{signatures: true, nothing: true, answers: notBuilt}, signed, ring, IfAvailable, unsigned},
		"built without, required":            {fakeKernel{signatures: true, nothing: true, answers: notBuilt}, signed, ring, Required, "kernel-cannot-verify"},
		"built without, no ring":             {fakeKernel{signatures: true, nothing: true}, signed, ringFails, IfAvailable, unsigned},
		"says so, but checks others":         {fakeKernel{signatures: true, answers: notBuilt}, signed, ring, IfAvailable, "kernel-cannot-verify"},
		"checks, no ring":                    {fakeKernel{signatures: true}, signed, ringFails, IfAvailable, "keyring-failed"},
		"checks, no kernel signature":        {fakeKernel{signatures: true}, &manifest.Manifest{}, ring, IfAvailable, "no-kernel-signature"},
		"built without, no kernel signature": {fakeKernel{signatures: true, nothing: true}, &manifest.Manifest{}, ring, IfAvailable, unsigned},
		"checks, rejected":                   {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.EKEYREJECTED), "selfcheck-excl": at(load, unix.EACCES), "selfcheck": at(load, unix.EACCES)}}, signed, ring, IfAvailable, "signature-rejected"},
		"checks, not permitted":              {fakeKernel{signatures: true, answers: map[string]error{"bound": at(load, unix.EPERM)}}, signed, ring, IfAvailable, "not-permitted"},
	} {
		t.Run(name, func(t *testing.T) {
			k := c.kernel
			r := &run{kernel: &k, src: sealedBy(&fakeSealed{profiles: bpfabi.Profiles()}), manifest: c.m, ring: c.ring, opt: Options{KernelVerify: c.asked}}
			got, err := r.put()
			if err == nil {
				if got.profile != c.got || got.verified {
					t.Errorf("loaded as %s, verified %v; want %s", got.profile, got.verified, c.got)
				}
				return
			}
			if e := asError(err); e.Reason != c.got {
				t.Errorf("refused with %s (%v), want %s", e.Reason, err, c.got)
			}
			if slices.Contains(k.tried, unsigned) {
				t.Error("it was loaded without a signature")
			}
		})
	}
}

// The zero value of the option is the strict one.
func TestKernelVerificationIsRequiredUnlessSaidOtherwise(t *testing.T) {
	r := &run{kernel: &fakeKernel{}, src: sealedBy(&fakeSealed{profiles: bpfabi.Profiles()}), manifest: &manifest.Manifest{}}
	_, err := r.put()
	mustRefuse(t, err, Unsupported, "kernel-cannot-verify")
}

func TestUnsignedNeedsTheBoundLoaderProgram(t *testing.T) {
	r := &run{kernel: &fakeKernel{}, src: sealedBy(&fakeSealed{profiles: []bpfabi.Profile{bpfabi.Selfcheck}}), manifest: &manifest.Manifest{}, opt: Options{KernelVerify: IfAvailable}}
	_, err := r.put()
	mustRefuse(t, err, Unsupported, "no-unsigned-profile")
}

// Whether this kernel checks signatures is asked in two ways that must agree
// with each other.
func TestThisKernelsAnswersAgree(t *testing.T) {
	needBPF(t)
	can, err := thisKernel{}.hasSignatures(nil)
	if err != nil {
		t.Fatal(err)
	}
	nothing, err := thisKernel{}.checksNothing(nil)
	if !can {
		if err == nil {
			t.Errorf("a kernel without exclusive maps answered %v", nothing)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	known, excl := thisKernel{}.hasExcl()
	t.Logf("signatures %v, built without checking %v, types known %v, excl %v", can, nothing, known, excl)
}

// twiceKernel refuses a load and takes the same one when it is asked for a log.
type twiceKernel struct {
	fakeKernel
	second error
}

func (k *twiceKernel) try(_ kernelload.Payload, s kernelload.Settings) (*kernelload.Result, error) {
	if s.Log != nil {
		if k.second != nil {
			return nil, k.second
		}
		return &kernelload.Result{}, nil
	}
	return nil, &kernelload.Error{Step: kernelload.StepInside, Stage: loadctx.StageProgram, Errno: unix.EACCES}
}

// The second run is for the log alone: it never turns a refusal into a load,
// and its log is only told if it is of the same refusal.
func TestTheFirstAnswerCounts(t *testing.T) {
	for name, c := range map[string]struct {
		second error
		log    string
	}{
		"it loads":        {nil, ""},
		"the same":        {&kernelload.Error{Step: kernelload.StepInside, Stage: loadctx.StageProgram, Errno: unix.EACCES, Log: []byte("why")}, "why"},
		"another errno":   {&kernelload.Error{Step: kernelload.StepInside, Stage: loadctx.StageProgram, Errno: unix.EINVAL, Log: []byte("why")}, ""},
		"another program": {&kernelload.Error{Step: kernelload.StepInside, Stage: loadctx.StageProgram, Index: 1, Errno: unix.EACCES, Log: []byte("why")}, ""},
		"another stage":   {&kernelload.Error{Step: kernelload.StepInside, Stage: loadctx.StageBTF, Errno: unix.EACCES, Log: []byte("why")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &run{kernel: &twiceKernel{second: c.second}, src: sealedBy(&fakeSealed{profiles: bpfabi.Profiles()}), manifest: &newMini().m, opt: Options{KernelVerify: IfAvailable}}
			got, err := r.put()
			if got != nil {
				t.Fatal("it was loaded")
			}
			if e := mustRefuse(t, err, VerifierRefused, "program-refused"); string(e.Log) != c.log {
				t.Errorf("log %q, want %q", e.Log, c.log)
			}
		})
	}
}
