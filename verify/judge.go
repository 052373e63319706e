package verify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
)

// judge holds what decides about signatures that are right.
type judge struct {
	ring      *keys.Keyring
	policy    *policy.Policy
	floor     Floor
	revoked   *Revocations // not nil, but while lists are read
	threshold int
	now       time.Time
	file      certificates
	offered   []Identity
	keyless   []Identity // of those offered, who counts
	issued    bool       // a CA of the keyring stands for the kernel signatures' signer
}

func newJudge(opt Options) (*judge, *Error) {
	j := &judge{ring: opt.Keyring, policy: opt.Policy, floor: opt.Floor, now: opt.Now, offered: opt.Identities}
	if j.policy == nil {
		j.policy = policy.Default()
	}
	if j.now.IsZero() {
		j.now = time.Now()
	}
	if opt.Threshold < 0 {
		return nil, refuse(InvalidOptions, "a threshold of %d is none: it is at least 1", opt.Threshold)
	}
	if j.policy.Threshold < 1 {
		return nil, refuse(InvalidOptions, "the policy's threshold of %d is none: it is at least 1", j.policy.Threshold)
	}
	j.threshold = max(j.policy.Threshold, opt.Threshold)
	return j, nil
}

// admit drops the signers that cannot count whatever the statement says, and
// refuses if none is left. The statement has not been parsed.
func (j *judge) admit(signers []signer) *Error {
	for i := range signers {
		s := &signers[i]
		if j.trust(s, j.asked()); s.trusted == nil || s.dropped != nil {
			continue
		}
		// Of several reasons the first in the order of precedence is kept:
		// a revoked key before an expired one, both before policy.
		s.dropped = j.revoked.key(s.id)
		if s.dropped == nil && j.policy.Validity != policy.ValidCreated {
			s.dropped = j.invalid(s.trusted, j.now)
		}
		if s.dropped == nil && !j.policy.AllowsAlgorithm(s.algorithm) {
			s.dropped = refuse(AlgorithmForbidden, "the policy does not allow signatures with %v", s.algorithm)
		}
	}
	if anyTrusted(signers) && j.revoked.refusal != nil {
		return j.revoked.refusal
	}
	return noneLeft(signers)
}

func anyTrusted(signers []signer) bool {
	for i := range signers {
		if signers[i].trusted != nil {
			return true
		}
	}
	return false
}

// invalid returns why a trusted key's certificate does not hold at a time.
func (j *judge) invalid(key *keys.TrustedKey, at time.Time) *Error {
	return j.outOfDate(key.ID, key.Check(at))
}

// outOfDate is what a check of a certificate comes to, as the policy has it.
func (j *judge) outOfDate(id keys.ID, err error) *Error {
	if err == nil {
		return nil
	}
	reason := CertificateRefused
	if ce, ok := errors.AsType[*keys.CertificateError](err); ok {
		switch ce.Reason {
		case keys.CertificateExpired:
			reason = CertificateExpired
		case keys.CertificateNotYetValid:
			reason = CertificateNotYet
		}
	}
	if reason != CertificateRefused && j.policy.Validity == policy.ValidIgnore {
		return nil // time is all that this may pass over
	}
	return &Error{Reason: reason, Detail: fmt.Sprintf("signer %v: %v", id, err), Err: err}
}

// noneLeft refuses if no signer counts: for the reason of all, if they have
// one verdict in common.
func noneLeft(signers []signer) *Error {
	for i := range signers {
		if signers[i].counts() {
			return nil
		}
	}
	if !anyTrusted(signers) {
		return untrusted(signers)
	}
	return tooFew(signers, "no signature counts")
}

// tooFew is the refusal of signers of which too few count: for the reason why
// trusted ones were dropped, if it is one and the same. It tells every one.
func tooFew(signers []signer, text string) *Error {
	reason := TooFewSignatures
	var first *Error
	for i := range signers {
		d := signers[i].dropped
		if d == nil {
			continue
		}
		text += "; " + d.Detail
		switch {
		case first == nil:
			first, reason = d, d.Reason
		case first.Reason.verdict() != d.Reason.verdict():
			reason = TooFewSignatures
		}
	}
	out := &Error{Reason: reason, Detail: text}
	if first != nil {
		out.Err, out.Hint = first, first.Hint
	}
	return out
}

func untrusted(signers []signer) *Error {
	detail := "no signature is by a key of the keyring; it is signed by key " + signers[0].id.String()
	if n := len(signers); n > 1 {
		detail += fmt.Sprintf(" and %d more", n-1)
	}
	return &Error{Reason: NoTrustedSigner, Detail: detail, Hint: "name the signer's certificate or public key with --keyring, if you trust it"}
}

// decide has the steps that need the statement. Where several refuse, the one
// that takes precedence is reported. It returns the signers that count.
func (j *judge) decide(signers []signer, m *manifest.Manifest, payload []byte, kernel kernelSigner) ([]Signer, *Error) {
	// 6. Signers out of their scope, and those that did not count when the
	// object was made, if the policy goes by that.
	for i := range signers {
		s := &signers[i]
		if s.counts() && j.policy.Validity == policy.ValidCreated {
			at := signed(s.created, m)
			if j.trust(s, at); s.counts() {
				s.dropped = j.invalid(s.trusted, at)
			}
		}
		if s.counts() {
			s.dropped = j.outOfScope(s.trusted, m)
		}
	}
	if err := noneLeft(signers); err != nil {
		return nil, err
	}
	// 7. Distinct keys. That they are distinct is the seal's order of key ids.
	var counted []Signer
	for i := range signers {
		if s := &signers[i]; s.counts() {
			counted = insert(counted, newSigner(s))
		}
	}
	var refusals []*Error
	if err := j.countIdentities(payload); err != nil {
		refusals = append(refusals, err)
	}
	if len(counted)+len(j.keyless) < j.threshold {
		refusals = append(refusals, tooFew(signers, fmt.Sprintf("%s, and %d are needed", countText(len(counted)), j.threshold)))
	}
	// 8. The object itself.
	refusals = append(refusals, j.revoked.object(m, m.Object.SHA256, digestOf(payload))...)
	if m.NotAfter != nil && j.now.After(*m.NotAfter) {
		refusals = append(refusals, refuse(ObjectExpired, "the object is not to be used after %s", m.NotAfter.Format(time.RFC3339)))
	}
	if j.floor != nil {
		ids := make([]keys.ID, 0, len(counted))
		for i := range counted {
			ids = append(ids, counted[i].KeyID, counted[i].Account())
		}
		least := j.floor.Least(m.Name, ids)
		if lowered, ok := j.revoked.lowered(m.Name, j.now); ok {
			least = min(least, lowered)
		}
		if m.Version < least {
			refusals = append(refusals, refuse(OlderVersion, "version %d of %q is older than %d, the lowest that this machine still takes", m.Version, m.Name, least))
		}
	}
	if err := j.kernelSigner(signers, m, kernel); err != nil {
		refusals = append(refusals, err)
	}
	refusals = append(refusals, j.forbidden(m, kernel.cert)...)
	if err := foremost(refusals); err != nil {
		return nil, err
	}
	return counted, nil
}

// countText says how many signatures count.
func countText(n int) string {
	if n == 1 {
		return "1 signature counts"
	}
	return fmt.Sprintf("%d signatures count", n)
}

// kernelSigner asks for the validity of the key that made the kernel
// signatures, which may be another than those that count: the kernel itself
// takes a certificate whatever its period. The keyring's certificates of this
// key decide, so that a renewed one takes over, and if it has none, the one in
// the file: to be trusted is one thing, to be in date another.
//
// A countersigner who does not count cannot say whose kernel signatures these
// are, and nobody else has said it.
func (j *judge) kernelSigner(signers []signer, m *manifest.Manifest, kernel kernelSigner) *Error {
	if kernel.cert == nil {
		return nil
	}
	at := j.now
	var created time.Time
	if kernel.by >= 0 {
		by := &signers[kernel.by]
		switch {
		case by.trusted == nil:
			return &Error{Reason: KernelSignerUntrusted, Detail: "the kernel signatures were made anew for a countersigner who is not in the keyring: key " + by.id.String(),
				Hint: "name the countersigner's certificate or public key with --keyring, if you trust it"}
		case by.dropped != nil:
			return by.dropped
		}
		created = by.created
	}
	if j.policy.Validity == policy.ValidCreated {
		at = signed(created, m)
	}
	id, err := keys.IDOf(kernel.cert.PublicKey)
	if err != nil {
		return refuseErr(KernelSignature, err)
	}
	if err := j.revoked.key(id); err != nil {
		return err
	}
	trusted, refused := j.find(id, at)
	if refused != nil {
		return refused
	}
	if trusted != nil {
		j.issued = len(trusted.Issuers) > 0
		if err := j.invalid(trusted, at); err != nil {
			return err
		}
		return j.outOfScope(trusted, m)
	}
	return j.outOfDate(id, keys.CheckValidity(kernel.cert, at))
}

// insert keeps signers in the order of their key ids. There are few: package
// slices' sort would be 20 KiB of the trusted loader.
func insert(list []Signer, s Signer) []Signer {
	list = append(list, s)
	for i := len(list) - 1; i > 0 && bytes.Compare(list[i].KeyID[:], list[i-1].KeyID[:]) < 0; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	return list
}

// signed is when a signature was made, as the signer says: a countersigner
// itself, the others in the manifest.
func signed(created time.Time, m *manifest.Manifest) time.Time {
	if created.IsZero() {
		return m.Created
	}
	return created
}

// forbidden returns what the policy has against the object.
func (j *judge) forbidden(m *manifest.Manifest, kernel *x509.Certificate) []*Error {
	var out []*Error
	for i := range m.Programs {
		if p := &m.Programs[i]; !j.policy.ProgramTypes.Allows(p.Type) {
			out = append(out, refuse(ProgramTypeForbidden, "the policy does not allow programs of type %s: program %q", p.Type, p.Name))
		}
	}
	for _, p := range m.Profiles {
		if !j.policy.Profiles.Allows(p.Name) {
			out = append(out, &Error{Reason: ProfileForbidden, Detail: "the policy does not allow profile " + p.Name,
				Hint: "sign the object without it (tbpf sign --profile)"})
		}
	}
	if kernel != nil {
		alg, err := keys.AlgorithmFor(kernel.PublicKey)
		if err != nil || !j.policy.AllowsAlgorithm(alg) {
			out = append(out, refuse(AlgorithmForbidden, "the policy does not allow kernel signatures with %v", alg))
		}
	}
	return out
}
