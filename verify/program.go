package verify

import (
	"fmt"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/program"
)

// Program is a program file that was verified against its statement. Only
// File makes one.
type Program struct {
	statement program.Statement
	signers   []Signer
}

// Statement returns what was signed.
func (p *Program) Statement() program.Statement { return p.statement }

// Signers are the signers that counted.
func (p *Program) Signers() []Signer { return append([]Signer(nil), p.signers...) }

// File verifies a program file, such as the trusted loader's own, against the
// signed statement about it. Keyring, time, revoked keys, and of the policy
// threshold, validity and algorithms are those of objects; scopes are about
// objects and hold none back here. Signers are keys of the keyring: an envelope
// brings no certificates. The error is always an *Error.
func File(file, envelope []byte, opt Options) (*Program, error) {
	p, err := verifyFile(file, envelope, opt)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func verifyFile(file, envelope []byte, opt Options) (*Program, *Error) {
	j, err := newJudge(opt)
	if err != nil {
		return nil, err
	}
	if j.revoked = opt.Revocations; j.revoked == nil {
		j.revoked = ReadRevocations(nil, opt)
	}
	e, perr := program.Parse(envelope)
	if perr != nil {
		return nil, &Error{Reason: MalformedStatement, Detail: "the statement: " + perr.Error(), Err: perr}
	}
	message := e.Message()
	var signers []signer
	for _, g := range e.Signatures {
		s := signer{id: g.KeyID}
		if key := j.ring.Find(g.KeyID); key != nil {
			alg, err := key.Algorithm()
			if err == nil {
				err = opt.Checker.Verify(key.Public, alg, message, g.Value)
			}
			if err != nil {
				return nil, &Error{Reason: WrongSignature, Err: err,
					Detail: fmt.Sprintf("the signature by key %v is wrong: the statement was changed after signing, or badly signed", g.KeyID)}
			}
			s.algorithm = alg
		}
		signers = append(signers, s)
	}
	if err := j.admit(signers); err != nil {
		return nil, err
	}
	s, perr := e.Decode()
	if perr != nil {
		return nil, &Error{Reason: MalformedStatement, Detail: "the statement: " + perr.Error(), Err: perr}
	}
	have, perr := program.Describe(s.Name, file, s.Version, s.Created)
	if perr != nil {
		return nil, refuseErr(FileMismatch, perr)
	}
	if *have != *s {
		return nil, refuse(FileMismatch, "the file is not the one that was signed: its SHA-256 is %s", have.SHA256)
	}
	var counted []Signer
	for i := range signers {
		one := &signers[i]
		if one.counts() && j.policy.Validity == policy.ValidCreated {
			one.dropped = j.invalid(one.trusted, s.Created)
		}
		if one.counts() {
			counted = append(counted, newSigner(one))
		}
	}
	if err := noneLeft(signers); err != nil {
		return nil, err
	}
	if len(counted) < j.threshold {
		return nil, tooFew(signers, fmt.Sprintf("%s, and %d are needed", countText(len(counted)), j.threshold))
	}
	for _, l := range j.revoked.lists {
		for _, revoked := range l.Digests {
			if revoked == s.SHA256 || revoked == s.FSVerity {
				return nil, refuse(ObjectRevoked, "sha256:%s is revoked", revoked)
			}
		}
	}
	return &Program{statement: *s, signers: counted}, nil
}
