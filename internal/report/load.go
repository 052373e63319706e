package report

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/trustedbpf/tbpf/loader"
)

// Load is the document of `tbpf load`.
type Load struct {
	Head
	Results []LoadResult `json:"results"`
}

// LoadResult is what became of one file. InKernel is absent unless it is in the
// kernel.
type LoadResult struct {
	Result
	*InKernel
	Notices     []string `json:"notices"`
	VerifierLog string   `json:"verifierLog,omitempty"` // at most 64 KiB
}

// InKernel is one object in the kernel.
type InKernel struct {
	Name           string                 `json:"name"`
	Version        uint64                 `json:"version"`
	Digest         string                 `json:"digest"`
	Profile        string                 `json:"profile"`
	KernelVerified bool                   `json:"kernelVerified"`
	Token          bool                   `json:"token"`
	Programs       []loader.ProgramReport `json:"programs"`
	Maps           []loader.MapReport     `json:"maps"`
	Links          []loader.LinkReport    `json:"links"`
	Pins           []string               `json:"pins"`
	Tunables       []loader.TunableReport `json:"tunables,omitempty"`
}

// newInKernel escapes the names in a loader's report.
func newInKernel(r *loader.Report) *InKernel {
	l := InKernel(escaped(*r))
	return &l
}

// NewLoad returns an empty document.
func NewLoad() *Load { return &Load{Head: NewHead("load"), Results: []LoadResult{}} }

// Add adds the result of one file; r is nil unless it is in the kernel.
func (d *Load) Add(path string, r *loader.Report, notices []string, err error, o Outcome) {
	res := LoadResult{Result: NewResult(path, o), Notices: []string{}}
	for _, n := range notices {
		res.Notices = append(res.Notices, Text(n))
	}
	if r != nil && o.Code == 0 {
		res.InKernel = newInKernel(r)
	}
	if refused, ok := errors.AsType[*loader.Error](err); ok {
		res.VerifierLog = Lines(string(refused.Log))
	}
	d.Results = append(d.Results, res)
}

// Lines returns text of several lines with what is not printable escaped.
func Lines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		text, end := strings.CutSuffix(line, "\n")
		b.WriteString(Text(strings.ReplaceAll(text, "\t", "        ")))
		if end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// WriteText implements Document.
func (d *Load) WriteText(w io.Writer) error {
	p := &page{w: w}
	for _, r := range d.Results {
		if r.InKernel != nil {
			p.line("%s: loaded", r.Path)
			r.InKernel.page(p)
		}
	}
	return p.err
}

// page is what load and status say of an object.
func (l *InKernel) page(p *page) {
	how := "profile " + l.Profile + ", signature checked by the kernel"
	if !l.KernelVerified {
		how = l.Profile + ": this kernel checks no signatures, tbpf alone did"
	}
	if l.Token {
		how += ", through a BPF token"
	}
	rows := [][]string{
		{"name", fmt.Sprintf("%s, version %d", l.Name, l.Version)},
		{"object", l.Digest},
		{"loaded as", how},
	}
	for i, g := range l.Programs {
		rows = append(rows, []string{first(i, "programs"), programLine(g)})
	}
	for i, m := range l.Maps {
		rows = append(rows, []string{first(i, "maps"), fmt.Sprintf("%s: %s, id %d", m.Name, m.Type, m.ID)})
	}
	for i, t := range l.Tunables {
		whose := "as in the object"
		switch {
		case t.Set:
			whose = "set"
		case t.Source != "":
			whose = "as the kernel is"
		}
		rows = append(rows, []string{first(i, "variables"), fmt.Sprintf("%s = %s, %s", t.Name, t.Value, whose)})
	}
	for i, pin := range l.Pins {
		rows = append(rows, []string{first(i, "pins"), pin})
	}
	p.table("  ", rows)
}

func programLine(g loader.ProgramReport) string {
	if g.Skipped {
		return g.Name + ": skipped, this kernel has no such target"
	}
	line := fmt.Sprintf("%s: %s, id %d", g.Name, g.Type, g.ID)
	switch {
	case g.Attached == "":
		return line + ", not attached"
	case g.Target == "":
		return line + ", attached"
	default:
		return line + ", attached to " + g.Target
	}
}
