package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/trustedbpf/tbpf/verify"
)

// RotateState is what becomes of a file that is signed anew.
type RotateState string

// The states of a file.
const (
	RotatePlanned RotateState = "planned" // it would be signed anew
	RotateDone    RotateState = "rotated" // it was
	RotateCurrent RotateState = "current" // the new key alone signed it before
	RotateRefused RotateState = "refused" // it is as it was, for the error that is told
)

// Rotate is the document of `tbpf rotate`.
type Rotate struct {
	Head
	Written bool           `json:"written"` // files were replaced, not only looked at
	Results []RotateResult `json:"results"`
}

// RotateResult is what became of one file.
type RotateResult struct {
	Result
	Object
	State   RotateState `json:"state"`
	Signers []Signer    `json:"signers"` // the old ones, that counted
}

// NewRotate returns an empty document.
func NewRotate(written bool) *Rotate {
	return &Rotate{Head: NewHead("rotate"), Written: written, Results: []RotateResult{}}
}

// Add adds the result of one file; v is nil if it was not verified.
func (d *Rotate) Add(path string, o Outcome, state RotateState, v *verify.Verified) {
	r := RotateResult{Result: NewResult(path, o), State: state, Signers: []Signer{}}
	if v != nil {
		m := v.Manifest() // a copy
		r.Object = Object{Name: Name(m.Name), Version: &m.Version, Digest: v.Digest()}
		for _, s := range v.Signers() {
			r.Signers = append(r.Signers, newSigner(s))
		}
	}
	d.Results = append(d.Results, r)
}

// WriteText implements Document.
func (d *Rotate) WriteText(w io.Writer) error {
	p := &page{w: w}
	planned := 0
	for _, r := range d.Results {
		switch r.State {
		case RotatePlanned, RotateDone:
			var by []string
			for _, s := range r.Signers {
				by = append(by, signerLine(s))
			}
			text := "signed anew"
			if r.State == RotatePlanned {
				text = "would be signed anew"
				planned++
			}
			p.line("%s: %s version %d, %s (was: %s)", r.Path, r.Name, *r.Version, text, strings.Join(by, "; "))
		case RotateCurrent:
			p.line("%s: signed by the new key already", r.Path)
		}
	}
	if planned > 0 {
		p.line("%s", fmt.Sprintf("nothing was changed: --write signs %s", count(planned, "file")))
	}
	return p.err
}
