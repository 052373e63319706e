// Package verify decides whether a sealed object may be used: it takes bytes,
// a keyring and a policy, and returns a *Verified that nothing else can make,
// or an *Error with the reason.
//
// It guarantees that every byte of seal and object is under a signature that
// was checked, that signatures are checked before anything is parsed that they
// cover, and that each way to fail has its own reason and never ends in a
// Verified. It works on bytes alone: it reads no file, makes no system call,
// keeps nothing, and so gives the same answer on every machine and operating
// system. A key or certificate in the file is never trusted for being there.
//
// Most callers want Bytes. Inspect shows what a file says of itself and
// verifies nothing.
//
// loader and the command line import it. It must not import sign, keys/signer,
// cobra or sigstore: the trusted loader links it.
package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
)

// Options are what a verification goes by. Of the zero value nothing is
// verified: it trusts no key.
type Options struct {
	// Keyring has the keys that may sign. Without it nobody may.
	Keyring *keys.Keyring
	// Policy is what more is asked; nil is policy.Default().
	Policy *policy.Policy
	// Threshold raises the policy's number of distinct keys. It never lowers
	// it; 0 leaves it as it is, and less is an error.
	Threshold int
	// Now is the time of the verification; zero is the system's clock.
	Now time.Time
	// Seal is a detached seal. If it is not nil, even if empty, the file is the
	// bare object and must not have a seal of its own.
	Seal []byte
	// Beginning is how far the file was hashed while it was read; nil: not. It
	// counts for no other memory.
	Beginning *seal.Beginning
	// Floor is how low an object's version may be; nil sets no limit.
	Floor Floor
	// Revocations are what ReadRevocations made with these same options; nil is
	// no list, which policy or Floor may refuse.
	Revocations *Revocations
	// Identities signed the manifest without a key of their own, as the caller
	// has verified. Each that the policy has counts as one more key, if a key of
	// the keyring counts as well.
	Identities []Identity
	// Checker checks signatures. The zero value checks no ML-DSA, and so a seal
	// with such a signature is refused.
	Checker keys.Checker
	// Regenerate, if set, makes the loader programs anew from the object, and
	// Bytes compares them with those in the seal.
	Regenerate func(object []byte, m *manifest.Manifest) (*Regenerated, error)
}

// Floor remembers what was loaded on a machine, so that no older version
// follows (internal/floor has the trusted loader's).
type Floor interface {
	// Least returns the lowest version of an object that may still be used, if
	// these keys signed it.
	Least(name string, signers []keys.ID) uint64
	// Seen returns the revocation lists that the machine had.
	Seen() []revocation.Seen
}

// Identity is somebody whom a sigstore bundle identifies.
type Identity struct {
	Subject   string // subject alternative name of the certificate
	Issuer    string // who identified them
	Statement string // SHA-256 of what was signed, hex
}

// Bytes verifies a sealed object, or an object with Options.Seal. The result
// aliases file and Options.Seal: they must not change as long as it is used,
// so they must not be memory that is mapped from a file.
//
// The error is always an *Error.
func Bytes(file []byte, opt Options) (*Verified, error) {
	v, err := verifyBytes(file, opt)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// verifyBytes has the steps in the order that docs/format.md gives. The first
// step that refuses ends it.
func verifyBytes(file []byte, opt Options) (*Verified, *Error) {
	j, err := newJudge(opt)
	if err != nil {
		return nil, err
	}
	if j.revoked = opt.Revocations; j.revoked == nil {
		j.revoked = ReadRevocations(nil, opt)
	}
	// 1. Framing and sizes.
	object, sealed, err := open(file, opt.Seal)
	if err != nil {
		return nil, err
	}
	// 2. Every signature, over the raw statement, whoever made it.
	digest := opt.Beginning.Digest(object)
	signers, err := checkSignatures(sealed, digest, opt.Checker)
	if err != nil {
		return nil, err
	}
	// 3. Who of them counts. Nothing of the statement is known yet.
	j.readCertificates(sealed)
	if err := j.admit(signers); err != nil {
		return nil, err
	}
	// 4. The statement.
	m, perr := manifest.Decode(sealed.Payload)
	if perr != nil {
		return nil, refuseErr(MalformedManifest, perr)
	}
	// 5. Every byte of the file against what the statement says of it.
	kernel, err := checkContent(object, digest, sealed, m, opt.Checker)
	if err != nil {
		return nil, err
	}
	if opt.Regenerate != nil {
		if err := reproduce(object, sealed, m, opt.Regenerate); err != nil {
			return nil, err
		}
	}
	// 6 to 8. What only the statement's content can tell.
	counted, err := j.decide(signers, m, sealed.Payload, kernel)
	if err != nil {
		return nil, err
	}
	return &Verified{
		manifest: m,
		object:   object,
		seal:     sealed,
		kernel:   kernel.cert,
		signers:  counted,
		issued:   j.issued,
		keyless:  j.keyless,
		notices:  j.notices(signers, m),
	}, nil
}

// open takes object and seal apart.
func open(file, detached []byte) (object []byte, s *seal.Seal, refusal *Error) {
	var err error
	if detached == nil {
		object, detached, err = seal.Split(file)
	} else {
		object, err = file, seal.CheckObject(file)
	}
	if err == nil {
		s, err = seal.Decode(detached)
	}
	switch {
	case err == nil:
		return object, s, nil
	case errors.Is(err, seal.ErrUnsigned):
		return nil, nil, &Error{Reason: NoSeal, Detail: "it has no seal, or it is cut short", Err: err,
			Hint: "sign it with tbpf sign, or name its detached seal with --seal"}
	default:
		return nil, nil, refuseErr(MalformedSeal, err)
	}
}

// digestOf returns a SHA-256 in lower-case hex, as manifests have it.
func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
