//go:build linux

// Package trusted loads objects the way a machine's trusted loader does: by
// the machine's own policy, keyring and rollback floor, and by nothing that a
// caller says.
//
// It guarantees that every file which decides is read once and only root could
// have written it (package trustpath); that each object is verified anew in
// every run, whatever was recorded before; that an object is in its place
// wholly or not at all; and that the floor is raised and the record written only
// for what is in the kernel.
//
// cmd/tbpf-loader imports it. It must not import sign, keys/signer, cobra,
// sigstore or cilium/ebpf.
package trusted

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/buildinfo"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/internal/trustpath"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// Where a machine keeps what decides.
const (
	PolicyPath = "/etc/tbpf/policy.toml"
	RevokedDir = "/etc/tbpf/revoked.d"
	floorDir   = "/var/lib/tbpf"
	floorFile  = "floor"
	bpffs      = "/sys/fs/bpf"
)

// Exit codes of Errors.
const (
	codeFailed   = 1
	codeRevoked  = 14
	codeRollback = 15
	codePolicy   = 16
	codeDenied   = 22
)

// Error is why nothing is loaded, besides the errors of verify and loader.
type Error struct {
	Code   int    // exit code of a process that ends with it
	Reason string // stable, kebab-case
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is the exit code of a process that ends with the error.
func (e *Error) ExitCode() int { return e.Code }

func fail(code int, reason string, err error) error { return &Error{code, reason, err} }

// System is a machine with what it trusts, as it was read when it was opened.
type System struct {
	policy  *policy.Policy
	keyring *keys.Keyring
	kernel  keyring.Reference // that the policy names
	made    keyring.Reference // of this boot, once it is known
	floor   *held
	revoked *verify.Revocations
	store   *record.Store
	boot    string // the kernel's boot id

	state     gate.Digest // of policy, keyring and revocation lists
	floorFile gate.Digest // of the floor's file, as it was read or written last

	now    time.Time
	tokens bool // the kernel has BPF tokens

	deadline time.Time // of the whole run; zero: none
	hung     bool      // a load did not come back
}

// Open reads policy, keyring and floor, and keeps other loaders out until
// Close.
func Open() (*System, error) {
	store, err := record.Make()
	if err != nil {
		return nil, fail(codeFailed, "record", err)
	}
	s := &System{store: store}
	if err := s.read(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return s, nil
}

// Close lets other loaders in.
func (s *System) Close() error { return s.store.Close() }

// HoldBoot takes back that the machine may start.
func (s *System) HoldBoot() error { return s.store.HoldBoot() }

// LetBootGoOn says that the machine may start, and why.
func (s *System) LetBootGoOn(why string) error { return s.store.LetBootGoOn(why) }

// Policy is the machine's policy.
func (s *System) Policy() *policy.Policy { return s.policy }

func (s *System) read() error {
	var err error
	var rules []byte
	if rules, s.policy, err = readPolicy(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fail(codePolicy, "no-policy", fmt.Errorf("there is no policy, and without one nothing is loaded: %w", err))
		}
		return err
	}
	if err := s.checkSelf(); err != nil {
		return err
	}
	if name := s.policy.KernelKeyring; name != "" {
		if s.kernel, err = keyring.Parse(name); err != nil {
			return fail(codePolicy, "policy-malformed", err)
		}
	}
	if s.keyring, err = ReadKeyring(keys.SystemDirs()); err != nil {
		return fail(codeFailed, "keyring-not-trusted", err)
	}
	if err := s.readFloor(); err != nil {
		return err
	}
	id, err := trustpath.ReadKernelFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fail(codeFailed, "no-proc", fmt.Errorf("which boot this is cannot be seen: %w", err))
	}
	s.boot = id
	if s.tokens, err = bpfsys.HaveTokens(); err != nil {
		return fail(codeFailed, "tokens", err)
	}
	// The clock is never before the sources of this binary, nor before what
	// was loaded last: a machine without a battery boots in 1970.
	s.now = buildinfo.Clock(time.Now())
	if last := s.floor.time(); s.now.Before(last) {
		s.now = last
	}
	files, err := ReadRevocations(RevokedDir)
	if err != nil {
		return fail(codeRevoked, "revocations-not-trusted", err)
	}
	s.state = stateDigest(rules, s.keyring, files)
	if err := gate.Tell(s.state, s.floorFile); err != nil {
		return err
	}
	return s.noteRevocations(files)
}

// ReadPolicy reads the machine's policy. None is an fs.ErrNotExist.
func ReadPolicy() (*policy.Policy, error) {
	_, p, err := readPolicy()
	return p, err
}

func readPolicy() ([]byte, *policy.Policy, error) {
	data, err := trustpath.ReadFile(PolicyPath, policy.MaxSize)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		return nil, nil, fail(codePolicy, "policy-not-trusted", err)
	}
	p, err := policy.Parse(data)
	if err != nil {
		return nil, nil, fail(codePolicy, "policy-malformed", fmt.Errorf("%s: %w", PolicyPath, err))
	}
	return data, p, nil
}

// ReadKeyring reads the directories of a machine's keyring, of which an earlier
// one masks later ones. One that is missing has no keys.
func ReadKeyring(paths []string) (*keys.Keyring, error) {
	var dirs []keys.Dir
	for _, path := range paths {
		dir, err := trustpath.OpenDir(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		dirs = append(dirs, dir)
	}
	return keys.ReadKeyring(dirs...)
}

// isolates reports whether objects are loaded in a worker, through a token.
func (s *System) isolates() (bool, error) {
	switch s.policy.Token {
	case policy.TokenNever:
		return false, nil
	case policy.TokenWhereSupported:
		return s.tokens, nil
	default:
		if !s.tokens {
			return false, fail(codeDenied, "no-tokens", errors.New("the policy requires BPF tokens, which this kernel does not have: they came with Linux 6.9"))
		}
		return true, nil
	}
}

// options are those of every load.
func (s *System) options() (loader.Options, error) {
	isolate, err := s.isolates()
	opt := loader.Options{Trusted: s.keyring, Keyring: s.kernel, Isolate: isolate, Replace: true}
	if s.policy.KernelVerify == policy.KernelIfAvailable {
		opt.KernelVerify = loader.IfAvailable
	}
	if isolate || s.policy.Gate != nil {
		// The gate asks for one keyring. Who holds the keyring is a process like a worker.
		opt.Shared = s.ringFor
	}
	return opt, err
}
