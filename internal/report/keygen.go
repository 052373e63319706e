package report

import (
	"crypto/x509"
	"io"

	"github.com/trustedbpf/tbpf/keys"
)

// Keygen is the document of `tbpf keygen`.
type Keygen struct {
	Head
	Outcome
	PrivateKey  string `json:"privateKey,omitempty"`  // file; absent with --from
	Encrypted   bool   `json:"encrypted"`             // the private key has a password
	Certificate string `json:"certificate,omitempty"` // file
	Request     string `json:"request,omitempty"`     // file, with --csr
	KeyID       string `json:"keyId,omitempty"`
	Algorithm   string `json:"algorithm,omitempty"`
	Kernel      bool   `json:"kernel"` // the kernel takes signatures of this key
	CA          bool   `json:"ca"`     // the certificate is of a CA
	Subject     string `json:"subject,omitempty"`
	NotAfter    string `json:"notAfter,omitempty"`
}

// Key fills in what there is to say of the public key.
func (d *Keygen) Key(id keys.ID, alg keys.Algorithm, kernel bool) {
	d.KeyID, d.Algorithm, d.Kernel = id.String(), alg.String(), kernel
}

// Cert fills in what there is to say of the certificate.
func (d *Keygen) Cert(cert *x509.Certificate) {
	d.Subject, d.NotAfter, d.CA = Subject(cert), date(cert.NotAfter), keys.IsCA(cert)
}

// WriteText implements Document.
func (d *Keygen) WriteText(w io.Writer) error {
	if d.Verdict != Done {
		return nil
	}
	p := &page{w: w}
	var rows [][]string
	if d.PrivateKey != "" {
		kind := "encrypted with your password"
		if !d.Encrypted {
			kind = "not encrypted"
		}
		rows = append(rows, []string{"private key", d.PrivateKey, kind})
	}
	if d.Certificate != "" {
		rows = append(rows, []string{"certificate", d.Certificate, d.Subject + ", until " + d.NotAfter})
	}
	if d.Request != "" {
		rows = append(rows, []string{"request", d.Request, d.Subject})
	}
	p.table("", rows)
	experimental := ""
	if d.Algorithm == keys.MLDSA65.String() || d.Algorithm == keys.MLDSA87.String() {
		experimental = ", experimental"
	}
	kernel := "manifests and for the kernel"
	switch {
	case d.CA:
		kernel = "certificates, and no objects"
	case !d.Kernel:
		kernel = "manifests only: the kernel takes no such key"
	}
	p.table("", [][]string{{"key id     ", d.KeyID}, {"signs      ", kernel + " (" + d.Algorithm + experimental + ")"}})
	return p.err
}
