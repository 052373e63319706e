package policy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/sorted"
	"github.com/trustedbpf/tbpf/internal/stricttoml"
	"github.com/trustedbpf/tbpf/keys"
)

// MaxSize bounds a policy file, in bytes.
const MaxSize = 64 << 10

// maxThreshold is the number of signatures that a seal can hold.
const maxThreshold = 16

// Error says what is wrong with a policy file.
type Error struct {
	Key         string // the key; empty if the file is no TOML
	NotEnforced bool   // the key is specified, but this version cannot enforce it
	Detail      string
}

func (e *Error) Error() string {
	if e.Key == "" {
		return "parse policy: " + e.Detail
	}
	return fmt.Sprintf("parse policy: %s: %s", e.Key, e.Detail)
}

// Parse reads a policy file. The error is an *Error.
func Parse(data []byte) (*Policy, error) {
	table, err := stricttoml.Parse(data, MaxSize)
	if err != nil {
		return nil, &Error{Detail: err.Error()}
	}
	p := Default()
	if err := readTable("", table, p.readers(), notEnforced()); err != nil {
		return nil, err
	}
	return p, nil
}

// readers are the keys of the file, with what reads their values.
func (p *Policy) readers() map[string]func(any) error {
	return map[string]func(any) error{
		"threshold": p.readThreshold,
		"validity":  func(v any) error { return readWord(&p.Validity, v, "now", "created", "ignore") },
		"algorithms": func(v any) error {
			return readWords(&p.Algorithms, v, func(s string) error { _, err := keys.ParseAlgorithm(s); return err })
		},
		"program-types": func(v any) error {
			return readWords(&p.ProgramTypes, v, checkProgramType)
		},
		"profiles": func(v any) error {
			return readWords(&p.Profiles, v, func(s string) error { _, err := bpfabi.ParseProfile(s); return err })
		},
		"kernel-verify": func(v any) error { return readWord(&p.KernelVerify, v, "required", "if-available") },
		"kernel-keyring": func(v any) error {
			names := []string{"builtin", "secondary", "platform", "bpf"}
			var i uint8
			if err := readWord(&i, v, names...); err != nil {
				return err
			}
			p.KernelKeyring = names[i]
			return nil
		},
		"token": func(v any) error { return readWord(&p.Token, v, "required", "where-supported", "never") },
		"rollback": func(v any) error {
			return readTable("rollback", v, map[string]func(any) error{
				"state": func(v any) error { return readWord(&p.Floor, v, "required", "first-boot") },
			}, nil)
		},
		"revocation": func(v any) error {
			return readTable("revocation", v, map[string]func(any) error{
				"required": func(v any) error { return readBool(&p.Revocation.Required, v) },
				"signers":  func(v any) error { return readWords(&p.Revocation.Signers, v, checkKeyID) },
			}, nil)
		},
		"scope":   p.readScopes,
		"gate":    p.readGate,
		"keyless": p.readKeyless,
		"ca": func(v any) error {
			return readTable("ca", v, map[string]func(any) error{
				"max-path-length": func(v any) error {
					n, ok := v.(int64)
					if !ok || n < 0 || n > keys.MaxIntermediates {
						return fmt.Errorf("it is a number from 0 to %d", keys.MaxIntermediates)
					}
					p.MaxPathLength = int(n)
					return nil
				},
			}, nil)
		},
		"loader": func(v any) error {
			return readTable("loader", v, map[string]func(any) error{
				"digest": func(v any) error { return readWords(&p.Loader, v, checkDigest) },
			}, nil)
		},
		"boot": func(v any) error {
			return readTable("boot", v, map[string]func(any) error{
				"on-critical-failure": func(v any) error { return readWord(&p.Boot.OnCriticalFailure, v, "take-down", "leave") },
				"on-required-failure": func(v any) error { return readWord(&p.Boot.OnRequiredFailure, v, "take-down", "leave") },
				"stop-boot":           func(v any) error { return readWord(&p.Boot.Stop, v, "required", "critical", "never") },
				"timeout":             p.readTimeout,
			}, nil)
		},
	}
}

// notEnforced has the keys of docs/policy.md that need what is not built yet.
// They are refused, because a policy that is half enforced is none.
func notEnforced() []string {
	return nil
}

// checkDigest refuses what is no digest in its one spelling.
func checkDigest(s string) error {
	digits, ok := strings.CutPrefix(s, "sha256:")
	ok = ok && len(digits) == 64
	for _, c := range []byte(digits) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f')
	}
	if !ok {
		return fmt.Errorf("%.80q is no digest: it is sha256: and 64 digits in lower-case hex", s)
	}
	return nil
}

// readTable reads the keys of one table. Every one must be known.
func readTable(name string, v any, readers map[string]func(any) error, reserved []string) error {
	table, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("it is a table")
	}
	prefix := ""
	if name != "" {
		prefix = name + "."
	}
	for _, key := range sorted.Collected(maps.Keys(table)) { // sorted: the same file gives the same error
		read, known := readers[key]
		switch {
		case known:
			err := read(table[key])
			if inner, ok := errors.AsType[*Error](err); ok {
				return inner
			}
			if err != nil {
				return &Error{Key: prefix + key, Detail: err.Error()}
			}
		case slices.Contains(reserved, key):
			return &Error{Key: key, NotEnforced: true, Detail: "this version of tbpf does not enforce it, and so does not accept it: leave it out, or use a version that does"}
		default:
			return &Error{Key: prefix + fmt.Sprintf("%.64q", key), Detail: "unknown key"}
		}
	}
	return nil
}

func (p *Policy) readThreshold(v any) error {
	n, ok := v.(int64)
	if !ok || n < 1 || n > maxThreshold {
		return fmt.Errorf("it is a number from 1 to %d", maxThreshold)
	}
	p.Threshold = int(n)
	return nil
}

func readBool(to *bool, v any) error {
	b, ok := v.(bool)
	if !ok {
		return fmt.Errorf("it is true or false")
	}
	*to = b
	return nil
}

// checkKeyID takes a key id as messages print it.
func checkKeyID(s string) error {
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != len(keys.ID{}) || hex.EncodeToString(raw) != s {
		return fmt.Errorf("%.80q is no key id: it has 64 digits in lower-case hex", s)
	}
	return nil
}

// maxTimeout bounds the time for a boot set, in seconds.
const maxTimeout = 3600

func (p *Policy) readTimeout(v any) error {
	n, ok := v.(int64)
	if !ok || n < 1 || n > maxTimeout {
		return fmt.Errorf("it is a number of seconds from 1 to %d", maxTimeout)
	}
	p.Boot.Timeout = time.Duration(n) * time.Second
	return nil
}

// readWord reads one of several words as its place among them.
func readWord[T ~uint8](to *T, v any, words ...string) error {
	for i, word := range words {
		if v == any(word) {
			*to = T(i)
			return nil
		}
	}
	return fmt.Errorf("it is one of %q", words)
}

// readWords reads a list of names that check knows, each once.
func readWords(w *Words, v any, check func(string) error) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("it is a list of strings")
	}
	names := make([]string, 0, len(list))
	for _, item := range list {
		name, ok := item.(string)
		if !ok {
			return fmt.Errorf("it is a list of strings")
		}
		if err := check(name); err != nil {
			return err
		}
		if slices.Contains(names, name) {
			return fmt.Errorf("%q stands twice", name)
		}
		names = append(names, name)
	}
	*w = Only(names...)
	return nil
}
