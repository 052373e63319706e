package verify

import (
	"fmt"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
)

// outOfScope returns why a key may not sign for an object, or nil. What holds for
// a CA holds for all that it issued.
func (j *judge) outOfScope(key *keys.TrustedKey, m *manifest.Manifest) *Error {
	for _, ca := range key.Issuers {
		id, err := keys.IDOf(ca.PublicKey)
		if err != nil {
			return refuseErr(CertificateRefused, err)
		}
		if err := j.outOfScopeOf(id, m); err != nil {
			return err
		}
	}
	return j.outOfScopeOf(key.ID, m)
}

// outOfScopeOf asks the scopes of one key, of which one must allow all of the
// object.
func (j *judge) outOfScopeOf(id keys.ID, m *manifest.Manifest) *Error {
	for _, scopes := range j.policy.Scopes {
		of := scopes.Of(id.String())
		if len(of) == 0 {
			continue
		}
		why := ""
		for i := range of {
			if why = outside(&of[i], m); why == "" {
				break
			}
		}
		if why != "" {
			return refuse(OutOfScope, "signer %v: its scope does not have %s", id, why)
		}
	}
	return nil
}

// outside says what of an object does not lie in a scope; nothing if all does.
func outside(s *policy.Scope, m *manifest.Manifest) string {
	if !s.Names.Allows(m.Name) {
		return fmt.Sprintf("the name %q", m.Name)
	}
	for i := range m.Programs {
		p := &m.Programs[i]
		if !s.ProgramTypes.Allows(p.Type) {
			return fmt.Sprintf("programs of type %s, such as %q", p.Type, p.Name)
		}
		if !s.AttachTargets.Allows(p.AttachTarget) {
			if p.AttachTarget == "" {
				return fmt.Sprintf("programs that attach to what the machine names, such as %q", p.Name)
			}
			return fmt.Sprintf("the attach target %q of program %q", p.AttachTarget, p.Name)
		}
	}
	return ""
}
