package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// maxScopes bounds the number of scopes in a file.
const maxScopes = 256

// Scope is what one key may sign for. Scopes of one key are alternatives: an
// object must lie in one of them altogether.
type Scope struct {
	Key           string   // key id, in hex: a signer's, or a CA's for all that it issued
	Names         Patterns // of objects
	ProgramTypes  Words    // by bpfabi's names
	AttachTargets Patterns // as manifests have them; empty where the machine names the target
}

// Patterns is a set of names, of which those that end in * stand for all that
// begin so. The zero value allows none.
type Patterns struct{ words Words }

// Allows reports whether a name is in the set.
func (p Patterns) Allows(name string) bool {
	return p.words.Allows(name) || slices.ContainsFunc(p.words.list, func(pattern string) bool {
		head, ok := strings.CutSuffix(pattern, "*")
		return ok && strings.HasPrefix(name, head)
	})
}

// Scopes are the scopes of one policy. Of several policies each must allow.
type Scopes []Scope

// Of returns the scopes of a key, none if it may sign for everything.
func (s Scopes) Of(key string) (of Scopes) {
	for _, scope := range s {
		if scope.Key == key {
			of = append(of, scope)
		}
	}
	return of
}

func (p *Policy) readScopes(v any) error {
	tables, ok := v.([]map[string]any)
	if !ok || len(tables) > maxScopes {
		return fmt.Errorf("it is up to %d tables: [[scope]]", maxScopes)
	}
	var scopes Scopes
	for _, table := range tables {
		s := Scope{Names: Patterns{Every()}, ProgramTypes: Every(), AttachTargets: Patterns{Every()}}
		if err := readTable("scope", table, map[string]func(any) error{
			"key": func(v any) error {
				s.Key, _ = v.(string)
				return checkKeyID(s.Key)
			},
			"names":          func(v any) error { return readWords(&s.Names.words, v, checkPattern) },
			"program-types":  func(v any) error { return readWords(&s.ProgramTypes, v, checkProgramType) },
			"attach-targets": func(v any) error { return readWords(&s.AttachTargets.words, v, checkPattern) },
		}, nil); err != nil {
			return err
		}
		if s.Key == "" {
			return &Error{Key: "scope.key", Detail: "a scope is of a key: its id is missing"}
		}
		scopes = append(scopes, s)
	}
	p.Scopes = []Scopes{scopes}
	return nil
}

// checkPattern refuses a * that would stand for nothing but itself.
func checkPattern(s string) error {
	if strings.Contains(strings.TrimSuffix(s, "*"), "*") {
		return fmt.Errorf("%.80q has a * that is not at its end", s)
	}
	return nil
}

func checkProgramType(s string) error {
	_, err := bpfabi.ParseProgramType(s)
	return err
}

// Identity is somebody who may sign without a key of their own: whose short-lived
// certificate a sigstore CA issued, and a transparency log has.
type Identity struct {
	Subject Patterns // subject alternative name of the certificate
	Issuer  string   // who identified them
	// Pattern is Subject as the file has it, for what checks bundles.
	Pattern string
}

func (p *Policy) readKeyless(v any) error {
	tables, ok := v.([]map[string]any)
	if !ok || len(tables) > maxScopes {
		return fmt.Errorf("it is up to %d tables: [[keyless]]", maxScopes)
	}
	for _, table := range tables {
		var id Identity
		text := func(to *string) func(any) error {
			return func(v any) error {
				s, ok := v.(string)
				if !ok || s == "" || s == "*" {
					return fmt.Errorf("it is a text, and not one that stands for everybody")
				}
				*to = s
				return checkPattern(s)
			}
		}
		if err := readTable("keyless", table, map[string]func(any) error{"identity": text(&id.Pattern), "issuer": text(&id.Issuer)}, nil); err != nil {
			return err
		}
		if id.Pattern == "" || id.Issuer == "" {
			return &Error{Key: "keyless", Detail: "identity and issuer go together"}
		}
		id.Subject = Patterns{Only(id.Pattern)}
		p.Keyless = append(p.Keyless, id)
	}
	return nil
}

// AllowsIdentity reports whether somebody may sign without a key.
func (p *Policy) AllowsIdentity(subject, issuer string) bool {
	return slices.ContainsFunc(p.Keyless, func(id Identity) bool { return id.Issuer == issuer && id.Subject.Allows(subject) })
}
