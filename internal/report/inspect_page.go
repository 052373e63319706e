package report

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// WriteText implements Document: the page that a reviewer reads.
func (d *Inspect) WriteText(w io.Writer) error {
	p := &page{w: w}
	if d.Manifest == nil {
		return nil
	}
	m := d.Manifest
	p.line("NOT VERIFIED. This is what the file says of itself; anybody can write that.")
	p.line("Who signed it, and whether it was changed since, only `tbpf verify` tells.")
	p.line("")
	d.head(p)
	d.signers(p)
	programs(p, m)
	mapTable(p, m)
	globals(p, m)
	inputs(p, m)
	symbols(p, m)
	needs(p, m)
	d.profiles(p)
	return p.err
}

func (d *Inspect) head(p *page) {
	m := d.Manifest
	p.line("%s", m.Name)
	rows := [][]string{
		{"version", fmt.Sprint(m.Version)},
		{"created", date(m.Created) + "  (the signer's claim)"},
	}
	if m.NotAfter != nil {
		rows = append(rows, []string{"not after", date(*m.NotAfter)})
	}
	rows = append(rows,
		[]string{"object", fmt.Sprintf("%s, %s, for %s", d.Object.Name, count(d.Object.Size, "byte"), machine(m))},
		[]string{"", d.Object.Digest})
	if !d.Object.Matches {
		rows = append(rows, []string{"", "CHANGED: these are not the bytes that were signed"})
	}
	for _, key := range slices.Sorted(maps.Keys(m.Annotations)) {
		rows = append(rows, []string{key, m.Annotations[key]})
	}
	p.table("  ", rows)
}

func machine(m *manifest.Manifest) string {
	if m.Architecture == "any" {
		return "any " + m.ByteOrder + "-endian machine"
	}
	return m.Architecture
}

func (d *Inspect) signers(p *page) {
	p.section("Signatures, not checked", len(d.Signatures))
	var rows [][]string
	for _, s := range d.Signatures {
		subject := s.Subject
		switch {
		case subject == "":
			subject = "(bare key)"
		case s.NotAfter != "":
			subject += ", certificate until " + s.NotAfter
		}
		rows = append(rows, []string{s.Algorithm, subject}, []string{"", "key " + s.KeyID})
	}
	p.table("  ", rows)
}

func (d *Inspect) profiles(p *page) {
	p.section("Loader programs", len(d.Profiles))
	var rows [][]string
	for _, l := range d.Profiles {
		signed := "no signature for the kernel"
		if l.KernelSigned {
			signed = "signed for the kernel"
		}
		rows = append(rows, []string{l.Name, "Linux " + profileKernels(l.Name),
			count(l.Instructions, "instruction"), fmt.Sprintf("%d bytes of metadata", l.Metadata), signed})
	}
	p.table("  ", rows)
}
