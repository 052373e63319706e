package policy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
)

// Gate is the gate that a machine has from its start on.
type Gate struct {
	Mode      GateMode
	OnFailure GateFailure
	Object    string   // path of the sealed object
	Loader    string   // path of the trusted loader's binary
	Keyrings  []string // system keyrings whose signatures count, besides the loader's own keyring
	Allow     []GateAllow
}

// GateMode is what the gate does with what it does not allow.
type GateMode uint8

// Values of GateMode.
const (
	GateAudit GateMode = iota // it says so
	GateEnforce
)

// GateFailure says what becomes of the boot set where the gate cannot be armed.
type GateFailure uint8

// Values of GateFailure, the strictest first.
const (
	GateStop     GateFailure = iota // nothing is loaded
	GateContinue                    // it is reported, and the set is loaded
)

// GateAllow is an executable that may load programs which nobody signed.
type GateAllow struct {
	Exe  string    // path
	Tags [][8]byte // of the programs; none: every program
}

// Where the gate and its loader are unless a policy says otherwise.
const (
	DefaultGateObject = "/usr/lib/tbpf/gate.bpf.tbpf"
	DefaultGateLoader = "/usr/lib/tbpf/tbpf-loader"
)

// maxGateAllow bounds the allow list, and the tags of an entry.
const maxGateAllow = 64

func (p *Policy) readGate(v any) error {
	g := &Gate{Object: DefaultGateObject, Loader: DefaultGateLoader}
	err := readTable("gate", v, map[string]func(any) error{
		"mode":       func(v any) error { return readWord(&g.Mode, v, "audit", "enforce") },
		"on-failure": func(v any) error { return readWord(&g.OnFailure, v, "stop", "continue") },
		"object":     func(v any) error { return readPath(&g.Object, v) },
		"loader":     func(v any) error { return readPath(&g.Loader, v) },
		"keyrings": func(v any) error {
			var words Words
			err := readWords(&words, v, func(s string) error {
				if s != "builtin" && s != "secondary" && s != "platform" {
					return fmt.Errorf("%q is no system keyring: builtin, secondary or platform", s)
				}
				return nil
			})
			g.Keyrings = words.list
			return err
		},
		"allow": g.readAllow,
	}, nil)
	p.Gate = g
	return err
}

func (g *Gate) readAllow(v any) error {
	tables, ok := v.([]map[string]any)
	if !ok || len(tables) > maxGateAllow {
		return fmt.Errorf("it is up to %d tables: [[gate.allow]]", maxGateAllow)
	}
	for _, table := range tables {
		var a GateAllow
		err := readTable("gate.allow", table, map[string]func(any) error{
			"exe": func(v any) error { return readPath(&a.Exe, v) },
			"tags": func(v any) error {
				var words Words
				err := readWords(&words, v, func(s string) error {
					b, err := hex.DecodeString(s)
					if err != nil || len(b) != 8 || [8]byte(b) == ([8]byte{}) {
						return fmt.Errorf("%q is no tag of a program: 16 hexadecimal digits", s)
					}
					a.Tags = append(a.Tags, [8]byte(b))
					return nil
				})
				if err == nil && (len(a.Tags) == 0 || len(a.Tags) > maxGateAllow) {
					err = errors.New("it has at least one tag; without the key every program is allowed")
				}
				return err
			},
		}, nil)
		if err != nil {
			return err
		}
		if a.Exe == "" {
			return &Error{Key: "gate.allow.exe", Detail: "an entry is of an executable: its path is missing"}
		}
		g.Allow = append(g.Allow, a)
	}
	return nil
}

// readPath reads an absolute path without detours.
func readPath(to *string, v any) error {
	s, ok := v.(string)
	if !ok || !filepath.IsAbs(s) || filepath.Clean(s) != s {
		return errors.New("it is an absolute path")
	}
	*to = s
	return nil
}
