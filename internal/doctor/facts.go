package doctor

import (
	"time"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// Facts is what a machine was asked and answered. Nothing in it is a judgement.
type Facts struct {
	Release string // uname -r
	Machine string // uname -m
	Root    bool   // asked with effective user id 0
	Now     time.Time

	LSMs         Fact[[]string] // active security modules
	Lockdown     Fact[string]   // "none", "integrity", "confidentiality"
	Types        Fact[Types]    // the kernel's BTF
	Signature    error          // what the kernel says to a program with a signature that is none
	Tokens       Fact[bool]
	Namespaces   Fact[int] // sysctl user.max_user_namespaces
	Unprivileged Fact[int] // sysctl kernel.unprivileged_bpf_disabled
	BPFFS        Fact[Mount]
	Keyrings     Fact[[]SystemKeyring]

	Gate    Fact[string] // its mode; "none" without one
	Loader  Fact[LoaderFile]
	Policy  Fact[*policy.Policy]
	Keyring Fact[*keys.Keyring]
	Floor   Fact[*floor.State]
	Revoked Fact[*verify.Revocations]
	BootSet Fact[[]Object]
}

// Types is what the kernel's own types tell of its BPF signatures.
type Types struct {
	Signatures bool // struct bpf_map has excl_prog_sha: from 6.18
	Excl       bool // struct bpf_map has excl: from 7.2, and late 6.18
	Bound      bool // struct bpf_verifier_env has signature: from 7.3
}

// Mount is a directory and what is mounted there.
type Mount struct {
	BPFFS bool
	UID   uint32
	Mode  uint32 // permission bits
}

// SystemKeyring is one of the kernel's own keyrings. Keys is an error where
// this process may not look into it.
type SystemKeyring struct {
	Name string // ".platform"
	Keys Fact[[]string]
}

// LoaderFile is the installed tbpf-loader.
type LoaderFile struct {
	Executable bool         // by everybody, which its worker needs
	Verity     Fact[string] // fs-verity's digest: "sha256:…"
}

// Object is one object of the boot set.
type Object struct {
	Entry    *bootset.Entry
	Verified *verify.Verified
	Err      error // why it was not verified
	Code     int   // exit code that Err leads to
	Needs    error // what this machine lacks for it
	NeedCode int
}
