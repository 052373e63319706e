package report

import (
	"fmt"
	"io"
)

// Keyring is the document of `tbpf keyring`.
type Keyring struct {
	Head
	Outcome
	Action   string          `json:"action"`
	Keyrings []KernelKeyring `json:"keyrings"`
	Path     string          `json:"path,omitempty"`   // of the certificate
	Output   string          `json:"output,omitempty"` // of export
}

// KernelKeyring is a kernel keyring.
type KernelKeyring struct {
	Serial int         `json:"serial"`
	Name   string      `json:"name"`
	Error  string      `json:"error,omitempty"` // what is in it cannot be seen
	Keys   []KernelKey `json:"keys"`
}

// KernelKey is a key in a kernel keyring.
type KernelKey struct {
	Serial      int    `json:"serial"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Trusted     string `json:"trusted,omitempty"` // key id, if it is of the machine's keyring
}

// WriteText implements Document.
func (d *Keyring) WriteText(w io.Writer) error {
	if d.Verdict != Done {
		return nil
	}
	p := &page{w: w}
	switch d.Action {
	case "list":
		for _, r := range d.Keyrings {
			what := fmt.Sprintf("%d keys", len(r.Keys))
			if r.Error != "" {
				what = r.Error
			}
			p.line("%s: %d, %s", r.Name, r.Serial, what)
			var rows [][]string
			for _, k := range r.Keys {
				note := ""
				if k.Trusted != "" {
					note = "of this machine's keyring"
				}
				rows = append(rows, []string{fmt.Sprint(k.Serial), k.Type, k.Description, note})
			}
			p.table("  ", rows)
		}
	case "enroll":
		for _, r := range d.Keyrings {
			p.line("%s: in %s (%d)", d.Path, r.Name, r.Serial)
		}
	case "export":
		if d.Output != "-" {
			p.line("%s: %s", d.Path, d.Output)
		}
	}
	return p.err
}
