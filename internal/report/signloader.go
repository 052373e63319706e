package report

import (
	"io"

	"github.com/trustedbpf/tbpf/internal/program"
)

// SignLoader is the document of `tbpf sign-loader`.
type SignLoader struct {
	Head
	Outcome
	Path              string  `json:"path"`
	Name              string  `json:"name,omitempty"`
	Version           *uint64 `json:"version,omitempty"`
	Digest            string  `json:"digest,omitempty"`   // SHA-256 of the file
	FSVerity          string  `json:"fsVerity,omitempty"` // what a policy pins
	Statement         string  `json:"statement,omitempty"`
	FSVeritySignature string  `json:"fsVeritySignature,omitempty"`
	IMA               string  `json:"ima,omitempty"`
}

// Describe fills in what was signed.
func (d *SignLoader) Describe(s program.Statement) {
	d.Name, d.Version, d.Digest, d.FSVerity = Name(s.Name), &s.Version, "sha256:"+s.SHA256, "sha256:"+s.FSVerity
}

// WriteText implements Document.
func (d *SignLoader) WriteText(w io.Writer) error {
	if d.Verdict != Done {
		return nil
	}
	p := &page{w: w}
	p.line("%s: %s version %d", d.Path, d.Name, *d.Version)
	rows := [][]string{{"fs-verity digest", d.FSVerity}, {"statement", d.Statement}}
	if d.FSVeritySignature != "" {
		rows = append(rows, []string{"fs-verity signature", d.FSVeritySignature})
	}
	if d.IMA != "" {
		rows = append(rows, []string{"security.ima", d.IMA})
	}
	p.table("  ", rows)
	return p.err
}
