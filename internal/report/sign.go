package report

import (
	"io"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Sign is the document of `tbpf sign`.
type Sign struct {
	Head
	Results []SignResult `json:"results"`
}

// SignResult is what became of one object.
type SignResult struct {
	Result
	Output       string   `json:"output,omitempty"` // sealed object, or the seal with --detach
	Detached     bool     `json:"detached"`
	Size         int      `json:"size,omitempty"` // of the output in bytes
	Name         string   `json:"name,omitempty"`
	Version      *uint64  `json:"version,omitempty"`
	Digest       string   `json:"digest,omitempty"` // of the object
	Profiles     []string `json:"profiles"`
	KernelSigned bool     `json:"kernelSigned"`
	ToSign       []ToSign `json:"toSign,omitempty"` // --prepare: nothing is signed, Output is the directory
}

// ToSign is one message that is to be signed elsewhere.
type ToSign struct {
	Payload   string `json:"payload"` // file of what is signed
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"keyId"`
	Signature string `json:"signature"` // file that the signature goes to
}

// NewSign returns an empty document.
func NewSign() *Sign { return &Sign{Head: NewHead("sign"), Results: []SignResult{}} }

// Add adds the result of one file; m is nil if it was not signed.
func (d *Sign) Add(path string, o Outcome, output string, size int, detached bool, m *manifest.Manifest) {
	r := SignResult{Result: NewResult(path, o), Detached: detached, Profiles: []string{}}
	if m != nil && o.Verdict == Done {
		m = escaped(m)
		r.Output, r.Size, r.Name, r.Version = Name(output), size, m.Name, &m.Version
		r.Digest = "sha256:" + m.Object.SHA256
		for _, p := range m.Profiles {
			r.Profiles = append(r.Profiles, p.Name)
		}
		r.KernelSigned = m.KernelSigner != nil
	}
	d.Results = append(d.Results, r)
}

// Prepared adds what has to be signed to the result that was added last.
func (d *Sign) Prepared(list []ToSign) { d.Results[len(d.Results)-1].ToSign = list }

// WriteText implements Document.
func (d *Sign) WriteText(w io.Writer) error {
	p := &page{w: w}
	for _, r := range d.Results {
		for _, t := range r.ToSign {
			p.line("to be signed: %s with %s by key %s, to %s", t.Payload, t.Algorithm, t.KeyID, t.Signature)
		}
	}
	if p.err != nil {
		return p.err
	}
	return d.writeSigned(p)
}

func (d *Sign) writeSigned(p *page) error {
	for _, r := range d.Results {
		if r.Verdict != Done || r.Output == "-" || len(r.ToSign) > 0 {
			continue
		}
		kernel := "not signed for the kernel"
		if r.KernelSigned {
			kernel = "for the kernel: " + strings.Join(r.Profiles, ", ")
		}
		p.line("%s: %s version %d, %s", r.Output, r.Name, *r.Version, kernel)
	}
	return p.err
}
