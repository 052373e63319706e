package report

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Output is the document of `tbpf strip` and `tbpf extract`.
type Output struct {
	Head
	Outcome
	Path   string `json:"path"`
	What   string `json:"what"` // "object", "manifest", "envelope", "kernel-payload", "kernel-signature"
	Output string `json:"output,omitempty"`
	Size   *int   `json:"size,omitempty"`   // bytes
	Digest string `json:"digest,omitempty"` // "sha256:…"
}

// NewOutput describes what was written to output, or why nothing was.
func NewOutput(command, path, what, output string, data []byte, o Outcome) *Output {
	d := &Output{Head: NewHead(command), Outcome: o, Path: Name(path), What: what}
	if o.Verdict == Done {
		size := len(data)
		d.Output, d.Size, d.Digest = Name(output), &size, Digest(data)
	}
	return d
}

// WriteText implements Document.
func (d *Output) WriteText(w io.Writer) error {
	if d.Verdict != Done || d.Output == "-" {
		return nil
	}
	p := &page{w: w}
	p.line("%s: %s, %s", d.Output, count(*d.Size, "byte"), d.Digest)
	return p.err
}

// Digest is the SHA-256 of data as documents have it.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
