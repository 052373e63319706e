package report

import "io"

// Completion is the document of `tbpf completion`.
type Completion struct {
	Head
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

// WriteText implements Document.
func (d *Completion) WriteText(w io.Writer) error {
	_, err := io.WriteString(w, d.Script)
	return err
}
