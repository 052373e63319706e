package report

import (
	"io"

	"github.com/trustedbpf/tbpf/internal/buildinfo"
)

// Version is the document of `tbpf version`.
type Version struct {
	Head
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Date     string `json:"date,omitempty"` // of the sources
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// NewVersion describes a build.
func NewVersion(info buildinfo.Info) *Version {
	return &Version{
		Head:    NewHead("version"),
		Version: info.Version, Revision: info.Revision, Date: date(info.Date),
		Go: info.Go, Platform: info.Platform,
	}
}

// WriteText implements Document.
func (d *Version) WriteText(w io.Writer) error {
	p := &page{w: w}
	p.line("tbpf %s %s %s", d.Version, d.Platform, d.Go)
	if d.Revision != "" {
		p.line("commit %s %s", d.Revision, d.Date)
	}
	return p.err
}
