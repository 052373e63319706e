package verify

import (
	"fmt"
	"time"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/keys"
)

// Revocations are the revocation lists that a verification goes by. Only
// ReadRevocations makes them. If one of them cannot be relied on, none can:
// then every object is refused.
type Revocations struct {
	lists   []*revocation.List
	seen    []revocation.Seen
	refusal *Error
}

// RevocationFile is a list as it was read from somewhere.
type RevocationFile struct {
	Path string // for messages
	Data []byte
}

// ReadRevocations reads the lists and holds them against the keyring, policy,
// time and floor of the options. What is wrong with one is kept, and Bytes
// refuses everything for it; Err tells it.
func ReadRevocations(files []RevocationFile, opt Options) *Revocations {
	r := &Revocations{}
	j, err := newJudge(opt)
	if err != nil {
		return &Revocations{refusal: err}
	}
	r.refusal = r.read(j, files, opt.Checker)
	return r
}

// Err returns why the lists cannot be relied on, or nil.
func (r *Revocations) Err() error {
	if r == nil || r.refusal == nil {
		return nil
	}
	return r.refusal
}

// Seen is what a machine should remember of the lists, so that they cannot be
// replaced by older ones: nothing if they cannot be relied on.
func (r *Revocations) Seen() []revocation.Seen {
	if r == nil || r.refusal != nil {
		return nil
	}
	return r.seen
}

// signedList is a list whose signatures are right.
type signedList struct {
	path    string
	list    *revocation.List
	seen    revocation.Seen
	signers []keys.ID // trusted, in date, allowed to
}

func (r *Revocations) read(j *judge, files []RevocationFile, checker keys.Checker) *Error {
	var read []signedList
	for _, file := range files {
		s, err := j.readList(file, checker)
		if err != nil {
			return err
		}
		for _, other := range read {
			if other.list.Name == s.list.Name {
				return refuse(RevocationRefused, "%s and %s are both list %q: one of them is old", other.path, s.path, s.list.Name)
			}
		}
		read = append(read, *s)
		r.lists, r.seen = append(r.lists, s.list), append(r.seen, s.seen)
	}
	// Whom any of the lists revokes may sign none of them.
	for _, s := range read {
		left := 0
		for _, id := range s.signers {
			if !r.RevokesKey(id) {
				left++
			}
		}
		if left < j.threshold {
			return refuse(RevocationRefused, "%s: %d of the %d keys that must have signed it did: keys that are not trusted, out of date or revoked do not count", s.path, left, j.threshold)
		}
	}
	if err := r.remembered(j); err != nil {
		return err
	}
	return r.required(j)
}

// readList checks a list's signatures, and reads it when they are right.
func (j *judge) readList(file RevocationFile, checker keys.Checker) (*signedList, *Error) {
	bad := func(err error) (*signedList, *Error) {
		return nil, &Error{Reason: RevocationRefused, Detail: file.Path + ": " + err.Error(), Err: err}
	}
	f, err := revocation.Parse(file.Data)
	if err != nil {
		return bad(err)
	}
	var trusted []*keys.TrustedKey
	for _, g := range f.Signatures {
		key := j.ring.Find(g.KeyID)
		if key == nil {
			continue
		}
		err := f.Check(g, key, checker)
		if err == keys.ErrUnchecked {
			continue
		}
		if err != nil {
			return bad(fmt.Errorf("the signature by key %v is wrong: %w", g.KeyID, err))
		}
		trusted = append(trusted, key)
	}
	s := &signedList{path: file.Path}
	if len(trusted) == 0 {
		return bad(fmt.Errorf("no signature is by a key of the keyring"))
	}
	if s.list, err = f.Decode(); err != nil {
		return bad(err)
	}
	at := j.now
	if j.policy.Validity == policy.ValidCreated {
		at = s.list.Issued
	}
	for _, key := range trusted {
		alg, err := key.Algorithm()
		if err != nil || !j.policy.AllowsAlgorithm(alg) || !j.policy.Revocation.Signers.Allows(key.ID.String()) || j.invalid(key, at) != nil {
			continue
		}
		s.signers = append(s.signers, key.ID)
	}
	s.seen = revocation.Seen{List: s.list.Name, Serial: s.list.Serial, Digest: f.Digest()}
	return s, nil
}

// remembered holds the lists against those that this machine saw before.
func (r *Revocations) remembered(j *judge) *Error {
	if j.floor == nil {
		return nil
	}
	for _, old := range j.floor.Seen() {
		found := false
		for _, now := range r.seen {
			if now.List != old.List {
				continue
			}
			found = true
			if now.Serial < old.Serial {
				return refuse(RevocationRolledBack, "list %q has the serial number %d, and %d was seen on this machine", now.List, now.Serial, old.Serial)
			}
			if now.Serial == old.Serial && now.Digest != old.Digest {
				return refuse(RevocationRolledBack, "list %q is another one with the serial number %d than was seen on this machine", now.List, now.Serial)
			}
		}
		if !found {
			return refuse(RevocationMissing, "list %q is gone, which this machine had with the serial number %d", old.List, old.Serial)
		}
	}
	return nil
}

// required is what policy asks of the lists.
func (r *Revocations) required(j *judge) *Error {
	if !j.policy.Revocation.Required {
		return nil
	}
	if len(r.lists) == 0 {
		return noList()
	}
	for _, l := range r.lists {
		if j.now.After(l.Expires) {
			return refuse(RevocationExpired, "list %q expired at %s", l.Name, l.Expires.Format(time.RFC3339))
		}
	}
	return nil
}

func noList() *Error {
	return &Error{Reason: RevocationMissing, Detail: "the policy requires a revocation list, and there is none",
		Hint: "tbpf verify takes lists with --revocations"}
}

// RevokesKey reports whether one of the lists revokes a key, also one of lists
// that cannot be relied on.
func (r *Revocations) RevokesKey(id keys.ID) bool {
	for _, l := range r.lists {
		if l.RevokesKey(id) {
			return true
		}
	}
	return false
}

// key returns why a key's signatures do not count any more, or nil.
func (r *Revocations) key(id keys.ID) *Error {
	if !r.RevokesKey(id) {
		return nil
	}
	return refuse(KeyRevoked, "key %v is revoked", id)
}

// object returns what the lists have against an object. digests are those of
// the object and of its manifest.
func (r *Revocations) object(m *manifest.Manifest, digests ...string) (out []*Error) {
	for _, l := range r.lists {
		for _, revoked := range l.Digests {
			for _, digest := range digests {
				if revoked == digest {
					out = append(out, refuse(ObjectRevoked, "sha256:%s is revoked", digest))
				}
			}
		}
		if v := l.Version(m.Name); m.Version < v.Below {
			out = append(out, refuse(VersionRevoked, "versions of %q below %d are revoked, and it is %d", m.Name, v.Below, m.Version))
		}
	}
	return out
}

// lowered returns how far down the lists take the floor of a name; ok is false
// if they leave it.
//
// What revokes does so for ever. What loosens ends with its list.
func (r *Revocations) lowered(name string, now time.Time) (floor uint64, ok bool) {
	for _, l := range r.lists {
		if v := l.Version(name); v.Floor != 0 && !now.After(l.Expires) && (!ok || v.Floor < floor) {
			floor, ok = v.Floor, true
		}
	}
	return floor, ok
}

// notices says what a person should know of the lists.
func (r *Revocations) notices(now time.Time) (out []string) {
	for _, l := range r.lists {
		if l.Expires.Before(now.Add(noticeAhead)) {
			out = append(out, fmt.Sprintf("the revocation list %q %s at %s", l.Name, ends(l.Expires, now), l.Expires.Format(time.RFC3339)))
		}
	}
	return out
}
