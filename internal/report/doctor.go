package report

import (
	"fmt"
	"io"
	"strings"
)

// Doctor is the document of `tbpf doctor`.
type Doctor struct {
	Head
	Outcome
	Kernel  DoctorKernel  `json:"kernel"`
	Checks  []DoctorCheck `json:"checks"` // in the order of the page
	Summary DoctorSummary `json:"summary"`
}

// DoctorKernel is the kernel that runs.
type DoctorKernel struct {
	Release string `json:"release"`
	Machine string `json:"machine"`
}

// DoctorCheck is one item.
type DoctorCheck struct {
	ID       string   `json:"id"`
	Subject  string   `json:"subject,omitempty"`
	Status   string   `json:"status"` // "ok", "limited", "unknown", "problem"
	Finding  string   `json:"finding"`
	Details  []string `json:"details"`
	Remedy   string   `json:"remedy,omitempty"`
	ExitCode int      `json:"exitCode"` // that it alone leads to
}

// DoctorSummary counts items by their status.
type DoctorSummary struct {
	OK      int `json:"ok"`
	Limited int `json:"limited"`
	Unknown int `json:"unknown"`
	Problem int `json:"problem"`
}

// NewDoctor begins the document about a kernel.
func NewDoctor(release, machine string, o Outcome) *Doctor {
	return &Doctor{Head: NewHead("doctor"), Outcome: o, Kernel: DoctorKernel{Name(release), Name(machine)}, Checks: []DoctorCheck{}}
}

// Add adds an item. Findings are sentences that name things: Text, not Name.
func (d *Doctor) Add(c DoctorCheck) {
	c.Subject, c.Finding, c.Remedy = Name(c.Subject), Text(c.Finding), Text(c.Remedy)
	details := []string{}
	for _, line := range c.Details {
		details = append(details, Text(line))
	}
	c.Details = details
	d.Checks = append(d.Checks, c)
	switch c.Status {
	case "ok":
		d.Summary.OK++
	case "limited":
		d.Summary.Limited++
	case "problem":
		d.Summary.Problem++
	default:
		d.Summary.Unknown++
	}
}

// WriteText implements Document.
func (d *Doctor) WriteText(w io.Writer) error {
	if len(d.Checks) == 0 {
		return nil
	}
	p := &page{w: w}
	width := 0
	for i := range d.Checks {
		width = max(width, len(d.Checks[i].ID))
	}
	for i := range d.Checks {
		c := &d.Checks[i]
		finding := c.Finding
		if c.Subject != "" {
			finding = c.Subject + ": " + finding
		}
		p.line("%-7s  %-*s  %s", c.Status, width, c.ID, finding)
		indent := strings.Repeat(" ", 7+2+width+2)
		for _, line := range c.Details {
			p.line("%s- %s", indent, line)
		}
		if c.Remedy != "" {
			p.line("%s-> %s", indent, c.Remedy)
		}
	}
	p.line("")
	p.line("%s", d.summary())
	return p.err
}

// summary is the last line.
func (d *Doctor) summary() string {
	parts := []string{fmt.Sprintf("%d ok", d.Summary.OK)}
	for _, more := range []struct {
		n    int
		text string
	}{{d.Summary.Limited, "limited"}, {d.Summary.Unknown, "not seen"}} {
		if more.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", more.n, more.text))
		}
	}
	if d.Summary.Problem > 0 {
		parts = append(parts, count(d.Summary.Problem, "problem"))
	}
	return strings.Join(parts, ", ")
}
