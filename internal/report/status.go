package report

import (
	"fmt"
	"io"

	"github.com/trustedbpf/tbpf/loader"
)

// Status is the document of `tbpf status`.
type Status struct {
	Head
	Outcome
	Directory string         `json:"directory"` // where pins were looked for
	Objects   []StatusObject `json:"objects"`
	// Complete: programs, maps and links are all that the kernel has.
	Complete bool            `json:"complete"`
	Programs []StatusProgram `json:"programs"`
	Maps     []StatusMap     `json:"maps"`
	Links    []StatusLink    `json:"links"`
	Notices  []string        `json:"notices"`
}

// StatusObject is an object that is pinned.
type StatusObject struct {
	*InKernel
	VerifiedBy string   `json:"verifiedBy"` // "kernel", "user-space"
	Recorded   bool     `json:"recorded"`   // the trusted loader loaded it, and its record fits the kernel
	File       string   `json:"file,omitempty"`
	Signers    []Signer `json:"signers"` // as the record has them
}

// StatusProgram is a program of the machine.
type StatusProgram struct {
	ID     uint32 `json:"id"`
	Type   string `json:"type"`
	Name   string `json:"name"` // the kernel's
	Tag    string `json:"tag"`
	Object string `json:"object,omitempty"` // absent: it is not tbpf's
}

// StatusMap is a map of the machine.
type StatusMap struct {
	ID     uint32 `json:"id"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Object string `json:"object,omitempty"`
}

// StatusLink is a link of the machine.
type StatusLink struct {
	ID        uint32 `json:"id"`
	Type      string `json:"type"`
	ProgramID uint32 `json:"programId"`
	Object    string `json:"object,omitempty"`
}

// NewStatus begins the document about a directory.
func NewStatus(dir string, o Outcome) *Status {
	return &Status{Head: NewHead("status"), Outcome: o, Directory: Name(dir), Objects: []StatusObject{},
		Programs: []StatusProgram{}, Maps: []StatusMap{}, Links: []StatusLink{}, Notices: []string{}}
}

// Add adds an object. recorded says that what file and signers say is of a
// record that fits the kernel.
func (d *Status) Add(r *loader.Report, recorded bool, file string, signers []Signer) {
	o := StatusObject{InKernel: newInKernel(r), VerifiedBy: "user-space", Recorded: recorded, File: Name(file), Signers: escaped(signers)}
	if r.KernelVerified {
		o.VerifiedBy = "kernel"
	}
	d.Objects = append(d.Objects, o)
}

// Machine sets what the kernel has altogether.
func (d *Status) Machine(programs []StatusProgram, maps []StatusMap, links []StatusLink) {
	d.Complete, d.Programs, d.Maps, d.Links = true, escaped(programs), escaped(maps), escaped(links)
}

// Notice adds what does not fit.
func (d *Status) Notice(text string) { d.Notices = append(d.Notices, Text(text)) }

// WriteText implements Document.
func (d *Status) WriteText(w io.Writer) error {
	if d.Verdict != Done {
		return nil
	}
	p := &page{w: w}
	if len(d.Objects) == 0 {
		p.line("nothing of tbpf's is pinned beneath %s", d.Directory)
	}
	for i, o := range d.Objects {
		if i > 0 {
			p.line("")
		}
		p.line("%s", o.Name)
		o.page(p)
		o.origin(p)
	}
	if d.Complete {
		d.others(p)
	}
	for _, n := range d.Notices {
		p.line("")
		p.line("notice: %s", n)
	}
	return p.err
}

// origin is what the record says.
func (o *StatusObject) origin(p *page) {
	if !o.Recorded {
		p.line("  no record of the trusted loader: who signed it is not known")
		return
	}
	rows := [][]string{{"file", o.File}}
	for i, s := range o.Signers {
		who := s.KeyID
		if s.Subject != "" {
			who = s.Subject + ", " + who
		}
		rows = append(rows, []string{first(i, "signers"), who})
	}
	p.table("  ", rows)
}

// others lists what is not tbpf's.
func (d *Status) others(p *page) {
	var rows [][]string
	ours := 0
	add := func(object, kind string, id uint32, what string) {
		if object != "" {
			ours++
			return
		}
		rows = append(rows, []string{kind, fmt.Sprint(id), what})
	}
	for _, g := range d.Programs {
		add(g.Object, "program", g.ID, named(g.Type, g.Name)+", tag "+g.Tag)
	}
	for _, m := range d.Maps {
		add(m.Object, "map", m.ID, named(m.Type, m.Name))
	}
	for _, l := range d.Links {
		add(l.Object, "link", l.ID, fmt.Sprintf("%s, of program %d", l.Type, l.ProgramID))
	}
	p.line("")
	p.line("machine: %s, %s, %s; %d of them of the objects above", count(len(d.Programs), "program"), count(len(d.Maps), "map"), count(len(d.Links), "link"), ours)
	if len(rows) > 0 {
		p.line("not tbpf's, or held by a process only:")
		p.table("  ", rows)
	}
}

func named(kind, name string) string {
	if name == "" {
		return kind
	}
	return kind + " " + name
}
