package report

import (
	"fmt"
	"io"
	"strconv"

	"github.com/trustedbpf/tbpf/internal/revocation"
)

// Revoke is the document of `tbpf revoke`.
type Revoke struct {
	Head
	Outcome
	Path    string           `json:"path"`
	List    string           `json:"list,omitempty"`
	Serial  uint64           `json:"serial,omitempty"`
	Issued  string           `json:"issued,omitempty"`
	Expires string           `json:"expires,omitempty"`
	Signers []string         `json:"signers,omitempty"` // key ids
	Keys    []string         `json:"keys"`              // key ids that are revoked
	Digests []string         `json:"digests"`           // "sha256:…" of objects and manifests that are
	Names   []RevokedVersion `json:"names"`
}

// RevokedVersion is what a list says of a name.
type RevokedVersion struct {
	Name  string `json:"name"`
	Below uint64 `json:"below,omitempty"`
	Floor uint64 `json:"floor,omitempty"`
}

// Describe fills in what the list says.
func (d *Revoke) Describe(f *revocation.File) error {
	l, err := f.Decode()
	if err != nil {
		return err
	}
	d.List, d.Serial, d.Issued, d.Expires = Name(l.Name), l.Serial, date(l.Issued), date(l.Expires)
	for _, s := range f.Signatures {
		d.Signers = append(d.Signers, s.KeyID.String())
	}
	d.Keys = l.Keys
	for _, digest := range l.Digests {
		d.Digests = append(d.Digests, "sha256:"+digest)
	}
	for _, n := range l.Names {
		d.Names = append(d.Names, RevokedVersion{Name: Name(n.Name), Below: n.Below, Floor: n.Floor})
	}
	return nil
}

// Exit implements Document. Lists are written also where they are empty.
func (d *Revoke) Exit(code int) {
	d.Head.Exit(code)
	for _, list := range []*[]string{&d.Keys, &d.Digests} {
		if *list == nil {
			*list = []string{}
		}
	}
	if d.Names == nil {
		d.Names = []RevokedVersion{}
	}
}

// WriteText implements Document.
func (d *Revoke) WriteText(w io.Writer) error {
	if d.Verdict != Done {
		return nil
	}
	p := &page{w: w}
	p.line("%s: list %s, serial number %d, until %s", d.Path, d.List, d.Serial, d.Expires)
	var rows [][]string
	for i, id := range d.Signers {
		rows = append(rows, []string{first(i, "signed by"), "key " + id})
	}
	n := 0
	add := func(text string) {
		rows = append(rows, []string{first(n, "revoked"), text})
		n++
	}
	for _, id := range d.Keys {
		add("key " + id)
	}
	for _, digest := range d.Digests {
		add("object or manifest " + digest)
	}
	for _, v := range d.Names {
		if v.Below != 0 {
			add(fmt.Sprintf("%s below version %d", v.Name, v.Below))
		}
	}
	n = 0
	for _, v := range d.Names {
		if v.Floor != 0 {
			rows = append(rows, []string{first(n, "taken again"), v.Name + " from version " + strconv.FormatUint(v.Floor, 10) + " on"})
			n++
		}
	}
	p.table("  ", rows)
	return p.err
}
