package report

import (
	"io"

	"github.com/trustedbpf/tbpf/internal/seal"
)

// Countersign is the document of `tbpf countersign`.
type Countersign struct {
	Head
	Outcome
	Path string `json:"path"`
	// Signers are the keys of all signatures in the file now, trusted or not,
	// those of the manifest first.
	Signers []string `json:"signers"`
	Kernel  string   `json:"kernel,omitempty"` // key of the kernel signatures, if a countersigner made them
}

// NewCountersign returns an empty document.
func NewCountersign(path string) *Countersign {
	return &Countersign{Head: NewHead("countersign"), Path: Name(path), Signers: []string{}}
}

// Done fills in what came of it; s is nil if nothing did.
func (d *Countersign) Done(s *seal.Seal, o Outcome) {
	d.Outcome = o
	if s == nil || o.Verdict != Done {
		return
	}
	for g := range s.Signers {
		d.Signers = append(d.Signers, g.KeyID.String())
	}
	for i := range s.Countersignatures {
		if k := s.Countersignatures[i].Kernel; k != nil {
			d.Kernel = k.KeyID.String()
		}
	}
}

// WriteText implements Document.
func (d *Countersign) WriteText(w io.Writer) error {
	if d.Verdict != Done {
		return nil
	}
	p := &page{w: w}
	p.line("%s: countersigned, %s", d.Path, count(len(d.Signers), "signature"))
	var rows [][]string
	for i, id := range d.Signers {
		rows = append(rows, []string{first(i, "signed by"), "key " + id})
	}
	if d.Kernel != "" {
		rows = append(rows, []string{"for the kernel", "key " + d.Kernel})
	}
	p.table("  ", rows)
	return p.err
}
