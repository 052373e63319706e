package report

import "io"

// Unload is the document of `tbpf unload`.
type Unload struct {
	Head
	Results []UnloadResult `json:"results"`
}

// UnloadResult is what became of one pinned object.
type UnloadResult struct {
	Object string `json:"object"` // as it was named on the command line
	Outcome
	ExitCode int `json:"exitCode"` // of this object alone
}

// NewUnload returns an empty document.
func NewUnload() *Unload { return &Unload{Head: NewHead("unload"), Results: []UnloadResult{}} }

// Add adds the result of one object.
func (d *Unload) Add(object string, o Outcome) {
	d.Results = append(d.Results, UnloadResult{Object: Name(object), Outcome: o, ExitCode: o.Code})
}

// WriteText implements Document.
func (d *Unload) WriteText(w io.Writer) error {
	p := &page{w: w}
	for _, r := range d.Results {
		if r.Verdict == Done {
			p.line("%s: unloaded", r.Object)
		}
	}
	return p.err
}
