package kernelkeys

import (
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/keys"
)

// Report is keyrings as the command's document has them, with which of the
// trusted keys are in them.
func Report(rings []Ring, trusted *keys.Keyring) []report.KernelKeyring {
	out := []report.KernelKeyring{}
	for _, r := range rings {
		k := report.KernelKeyring{Serial: r.Serial, Name: report.Name(r.Name), Keys: []report.KernelKey{}}
		if r.Err != nil {
			k.Error = report.Text(r.Err.Error())
		}
		for _, key := range r.Keys {
			one := report.KernelKey{Serial: key.Serial, Type: report.Name(key.Type), Description: report.Name(key.Description)}
			for _, t := range trusted.Keys() {
				for _, cert := range t.Certificates {
					if key.Holds(cert) {
						one.Trusted = t.ID.String()
					}
				}
			}
			k.Keys = append(k.Keys, one)
		}
		out = append(out, k)
	}
	return out
}
