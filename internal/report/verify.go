package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/verify"
)

// Verify is the document of `tbpf verify`.
type Verify struct {
	Head
	Results []VerifyResult `json:"results"`
}

// VerifyResult is the verdict on one file. What the file says of itself stands
// here only if it was verified.
type VerifyResult struct {
	Result
	Object
	Notices    []string   `json:"notices"`
	Signers    []Signer   `json:"signers"`
	Identities []Identity `json:"identities,omitempty"` // that signed without a key, by --bundle
	Profiles   []string   `json:"profiles"`
	Programs   []Program  `json:"programs"`
	Maps       []Map      `json:"maps"`
	Tunables   []Tunable  `json:"tunables"`
	Reproduced bool       `json:"reproduced"`         // --reproduce made the same loader programs
	FSVerity   string     `json:"fsVerity,omitempty"` // of a program file: its fs-verity digest
}

// Object identifies a verified object.
type Object struct {
	Name    string  `json:"name,omitempty"`
	Version *uint64 `json:"version,omitempty"`
	Digest  string  `json:"digest,omitempty"` // "sha256:…" of the object without the seal
}

// Signer is a key whose signature counted.
type Signer struct {
	KeyID     string `json:"keyId"`
	Subject   string `json:"subject"` // of the keyring's certificate; empty for a bare key
	Algorithm string `json:"algorithm"`
	Issuer    string `json:"issuer,omitempty"` // the keyring's CA that stands for it
}

// Identity is somebody whom a sigstore bundle identifies.
type Identity struct {
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
}

func newSigner(s verify.Signer) Signer {
	return Signer{KeyID: s.KeyID.String(), Subject: Name(s.Subject), Algorithm: s.Algorithm.String(), Issuer: Name(s.IssuerSubject)}
}

// Program is one program of a verified object.
type Program struct {
	Name         string `json:"name"`
	Type         string `json:"type"`
	AttachType   string `json:"attachType,omitempty"`
	AttachTarget string `json:"attachTarget,omitempty"`
	Optional     bool   `json:"optional,omitempty"`
}

// Map is one map of a verified object.
type Map struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Tunable is a value of a verified object that the machine may set.
type Tunable struct {
	Name    string  `json:"name"`
	Source  string  `json:"source,omitempty"` // "kconfig": a fact about the kernel
	Kind    string  `json:"kind"`
	Allowed string  `json:"allowed"`           // "1..100", "a|b", or in words
	Default *string `json:"default,omitempty"` // absent: it must be set
}

// NewVerify returns an empty document.
func NewVerify() *Verify { return &Verify{Head: NewHead("verify"), Results: []VerifyResult{}} }

// Add adds the verdict on one file; v is nil if it was refused.
func (d *Verify) Add(path string, v *verify.Verified, reproduced bool, o Outcome) {
	r := VerifyResult{
		Result: NewResult(path, o), Notices: []string{}, Signers: []Signer{},
		Profiles: []string{}, Programs: []Program{}, Maps: []Map{}, Tunables: []Tunable{},
	}
	if v != nil && o.Code == 0 {
		m := v.Manifest() // a copy
		r.Object = Object{Name: Name(m.Name), Version: &m.Version, Digest: v.Digest()}
		r.Reproduced = reproduced
		for _, n := range v.Notices() {
			r.Notices = append(r.Notices, Text(n))
		}
		for _, s := range v.Signers() {
			r.Signers = append(r.Signers, newSigner(s))
		}
		for _, id := range v.Identities() {
			r.Identities = append(r.Identities, Identity{Name(id.Subject), Name(id.Issuer)})
		}
		for _, p := range v.Profiles() {
			r.Profiles = append(r.Profiles, p.String())
		}
		r.Programs, r.Maps = contents(m)
		for _, t := range m.Tunables {
			r.Tunables = append(r.Tunables, escaped(Tunable{Name: t.Name, Source: t.Source, Kind: t.Kind, Allowed: t.Words(), Default: t.Default}))
		}
	}
	d.Results = append(d.Results, r)
}

// AddProgram adds the verdict on a program file and its statement; v is nil if
// it was refused.
func (d *Verify) AddProgram(path string, v *verify.Program, o Outcome) {
	r := VerifyResult{
		Result: NewResult(path, o), Notices: []string{}, Signers: []Signer{},
		Profiles: []string{}, Programs: []Program{}, Maps: []Map{}, Tunables: []Tunable{},
	}
	if v != nil && o.Code == 0 {
		s := v.Statement()
		r.Object = Object{Name: Name(s.Name), Version: &s.Version, Digest: "sha256:" + s.SHA256}
		r.FSVerity = "sha256:" + s.FSVerity
		for _, g := range v.Signers() {
			r.Signers = append(r.Signers, newSigner(g))
		}
	}
	d.Results = append(d.Results, r)
}

func contents(m *manifest.Manifest) ([]Program, []Map) {
	programs, maps := make([]Program, 0, len(m.Programs)), make([]Map, 0, len(m.Maps))
	for _, p := range m.Programs {
		programs = append(programs, Program{
			Name: Name(p.Name), Type: Name(p.Type), AttachType: Name(p.AttachType),
			AttachTarget: Name(p.AttachTarget), Optional: p.Optional,
		})
	}
	for _, p := range m.Maps {
		maps = append(maps, Map{Name: Name(p.Name), Type: Name(p.Type)})
	}
	return programs, maps
}

// WriteText implements Document.
func (d *Verify) WriteText(w io.Writer) error {
	p := &page{w: w}
	for i := range d.Results {
		if r := &d.Results[i]; r.Verdict == Verified {
			r.page(p)
		}
	}
	return p.err
}

func (r *VerifyResult) page(p *page) {
	p.line("%s: verified", r.Path)
	rows := [][]string{
		{"name", fmt.Sprintf("%s, version %d", r.Name, *r.Version)},
		{"object", r.Digest},
	}
	for i, s := range r.Signers {
		rows = append(rows, []string{first(i, "signed by"), signerLine(s)}, []string{"", "key " + s.KeyID})
	}
	for _, id := range r.Identities {
		rows = append(rows, []string{"", id.Identity + ", without a key"}, []string{"", "by " + id.Issuer})
	}
	if r.FSVerity != "" { // a program file and its statement
		rows[1][0] = "program"
		p.table("  ", append(rows, []string{"fs-verity", r.FSVerity}))
		return
	}
	rows = append(rows, []string{"profiles", strings.Join(r.Profiles, ", ")})
	for i, g := range r.Programs {
		rows = append(rows, []string{first(i, "programs"), g.Name + ": " + g.line()})
	}
	var maps []string
	for _, m := range r.Maps {
		maps = append(maps, m.Name+" ("+m.Type+")")
	}
	rows = folded(rows, "maps", maps)
	for i, t := range r.Tunables {
		rows = append(rows, []string{first(i, "may be set"), t.Name + ": " + t.line()})
	}
	if r.Reproduced {
		rows = append(rows, []string{"reproduced", "the object gives the same loader programs"})
	}
	p.table("  ", rows)
}

func (t Tunable) line() string {
	switch {
	case t.Source != "":
		return t.Allowed + ", " + factWords(t.Default)
	case t.Default == nil:
		return t.Allowed + ", must be set"
	}
	return t.Allowed + ", is " + *t.Default
}

// factWords say what a fact about the kernel is where nobody sets it.
func factWords(weak *string) string {
	switch {
	case weak == nil:
		return "as the kernel says"
	case *weak == "":
		return "as the kernel says, or empty"
	}
	return "as the kernel says, or " + *weak
}

func signerLine(s Signer) string {
	switch {
	case s.Subject == "":
		return "a bare key, " + s.Algorithm
	case s.Issuer != "":
		return s.Subject + " by the CA " + s.Issuer + ", " + s.Algorithm
	}
	return s.Subject + ", " + s.Algorithm
}

func (g Program) line() string {
	text := g.Type
	if g.AttachTarget != "" {
		text += " on " + g.AttachTarget
	} else if g.AttachType != "" && g.AttachType != g.Type {
		text += " (" + g.AttachType + ")"
	}
	if g.Optional {
		text += ", optional"
	}
	return text
}
