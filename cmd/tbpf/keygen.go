package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
)

// keygen is one run of `tbpf keygen`.
type keygen struct {
	app        *app
	name       string
	algorithm  string
	out        string
	validFor   validity
	noPassword bool
	from       string
	csr        bool
	ca         bool
	pathLength int
	issuer     string
	passwords  passwords
}

func newKeygen(a *app) *cobra.Command {
	k := &keygen{app: a, passwords: passwords{app: a}}
	cmd := &cobra.Command{
		Use:   "keygen --name N [--algorithm KIND] [--out DIR] [--valid-for DURATION] [--no-password] [--from KEYREF] [--csr] [--ca [--path-length N]] [--issuer KEYREF,FILE]",
		Short: "Make a signing key and its certificate",
		Long: `Keygen makes the private key N.key, encrypted with a password, and its
certificate N.crt, which is what machines trust. Nothing is overwritten.

With --from the key is there already, made by cosign or openssl, and only its
certificate is made. With --csr a certificate request is made instead of a
certificate.

With --ca the certificate is of a CA: machines that trust it trust the
certificates that --issuer makes with it, which sign embeds in what it signs.

The kernel takes signatures of ECDSA and RSA keys. An Ed25519 key signs
manifests only: tbpf itself checks those, on every kernel.

ML-DSA keys (FIPS 204) are experimental: they sign manifests, tbpf checks those,
and tbpf-loader refuses them. Their certificates are self-signed.`,
		Example: `  tbpf keygen --name release
  tbpf keygen --name release --from cosign.key
  tbpf keygen --name company --ca
  tbpf keygen --name release --issuer company.key,company.crt --valid-for 90d`,
		GroupID: groupSign,
		Args:    noArguments,
		RunE:    a.run(k.run),
	}
	f := cmd.Flags()
	f.StringVar(&k.name, "name", "", "`NAME` of the files and in the certificate")
	f.StringVar(&k.algorithm, "algorithm", signer.DefaultAlgorithm, "`KIND` of key: "+strings.Join(signer.Algorithms(), ", "))
	f.StringVar(&k.out, "out", ".", "`DIR` that the files go to")
	f.Var(&k.validFor, "valid-for", "how long the certificate is valid: 90d, 10y, 36h (default 10y)")
	f.BoolVar(&k.noPassword, "no-password", false, "write the private key without a password")
	f.StringVar(&k.passwords.file, "password-file", "", "read the password from `FILE`")
	f.StringVar(&k.from, "from", "", "use the private key `KEYREF`: a file, env://VARIABLE, or PLUGIN://KEY")
	f.BoolVar(&k.csr, "csr", false, "make a certificate request, not a certificate")
	f.BoolVar(&k.ca, "ca", false, "make the certificate of a CA")
	f.IntVar(&k.pathLength, "path-length", 0, "how many CAs, at most `N`, may stand between this one and a signer")
	f.StringVar(&k.issuer, "issuer", "", "have the certificate issued by the CA with the private key and the certificate in `KEYREF,FILE`")
	fixed(cmd, "algorithm", signer.Algorithms()...)
	return cmd
}

func (k *keygen) run(cmd *cobra.Command, _ []string) (report.Document, error) {
	if err := k.check(cmd); err != nil {
		return nil, err
	}
	doc := &report.Keygen{Head: report.NewHead("keygen"), Outcome: outcome(nil, report.Done)}
	err := k.make(doc)
	if err != nil {
		doc = &report.Keygen{Head: report.NewHead("keygen"), Outcome: outcome(err, report.Done)}
	}
	return doc, err
}

func (k *keygen) check(cmd *cobra.Command) error {
	if err := signer.CheckName(k.name); err != nil {
		return &usageError{err: fmt.Errorf("--name: %w", err), hint: "keygen --name release makes release.key and release.crt"}
	}
	if !slices.Contains(signer.Algorithms(), k.algorithm) {
		return usage("one of "+strings.Join(signer.Algorithms(), ", "), "unknown algorithm %q", k.algorithm)
	}
	for _, pair := range [][]string{{"from", "algorithm"}, {"from", "no-password"}, {"csr", "valid-for"}, {"no-password", "password-file"}, {"csr", "ca"}, {"csr", "issuer"}} {
		if err := exclusive(cmd, pair...); err != nil {
			return err
		}
	}
	if cmd.Flags().Changed("path-length") && (!k.ca || k.pathLength < 0 || k.pathLength > keys.MaxIntermediates) {
		return usage("", "--path-length is of a --ca, and at most %d", keys.MaxIntermediates)
	}
	if strings.HasPrefix(k.algorithm, "ml-dsa-") && (k.ca || k.csr || k.issuer != "") {
		return usage("", "%w", signer.ErrSelfSignedOnly)
	}
	if k.issuer != "" && !strings.Contains(k.issuer, ",") {
		return usage("--issuer company.key,company.crt", "--issuer %q is not KEYREF,FILE", k.issuer)
	}
	return nil
}

// make does the work: what exists is found out before a password is asked for.
func (k *keygen) make(doc *report.Keygen) error {
	if err := k.checkFree(); err != nil {
		return err
	}
	if err := signer.ForbidCoreDumps(); err != nil {
		return err
	}
	key, files, err := k.key(doc)
	if err != nil {
		return err
	}
	defer key.Close()
	public, err := k.public(key, doc)
	if err != nil {
		return err
	}
	files = append(files, public)

	k.app.busy.Lock()
	paths, err := signer.WriteFiles(k.out, k.name, files...)
	k.app.busy.Unlock()
	if err != nil {
		return err
	}
	for i, path := range paths {
		path = filepath.Clean(path)
		switch files[i].Suffix {
		case ".key":
			doc.PrivateKey = report.Name(path)
		case ".crt":
			doc.Certificate = report.Name(path)
		case ".csr":
			doc.Request = report.Name(path)
		}
	}
	doc.Key(key.ID(), key.Algorithm(), key.KernelCapable())
	return nil
}

// checkFree refuses names that are taken. WriteFiles does so too, for good.
func (k *keygen) checkFree() error {
	suffixes := []string{".key", ".crt", ".csr"}
	if k.from != "" {
		suffixes = suffixes[1:]
	}
	for _, suffix := range suffixes {
		path := filepath.Join(k.out, k.name+suffix)
		if exists(path) {
			return withHint(forFile(path, fs.ErrExist), "keys are never overwritten: choose another --name or --out")
		}
	}
	return nil
}

// key opens or makes the private key, and returns the file that it goes to.
func (k *keygen) key(doc *report.Keygen) (*signer.Signer, []signer.File, error) {
	if k.from != "" {
		key, err := signer.Open(k.from, signer.Options{Password: k.passwords.get})
		return key, nil, err
	}
	var password []byte
	if !k.noPassword {
		var err error
		if password, err = k.passwords.choose("Password for the new key " + k.name); err != nil {
			return nil, nil, err
		}
		defer clear(password)
	}
	key, err := signer.Generate(k.algorithm)
	if err != nil {
		return nil, nil, err
	}
	var data []byte
	if k.noPassword {
		data, err = key.MarshalPlain()
	} else {
		data, err = key.MarshalEncrypted(password)
		doc.Encrypted = true
	}
	return key, []signer.File{{Suffix: ".key", Data: data, Secret: true}}, err
}

// public makes the certificate or the request.
func (k *keygen) public(key *signer.Signer, doc *report.Keygen) (signer.File, error) {
	if k.csr {
		der, err := key.Request(k.name)
		doc.Subject = report.Name("CN=" + k.name)
		return signer.File{Suffix: ".csr", Data: signer.EncodeRequest(der)}, err
	}
	opt := signer.CertificateOptions{Name: k.name, Now: k.app.now(), ValidFor: k.validFor.Duration, CA: k.ca, PathLength: k.pathLength}
	if k.issuer != "" {
		issuer, err := k.openIssuer()
		if err != nil {
			return signer.File{}, err
		}
		defer issuer.Signer.Close()
		opt.Issuer = issuer
	}
	der, err := key.Certificate(opt)
	if err != nil {
		return signer.File{}, err
	}
	cert, err := keys.ParseCertificateDER(der)
	if err != nil {
		return signer.File{}, err
	}
	doc.Cert(cert)
	return signer.File{Suffix: ".crt", Data: signer.EncodeCertificate(der)}, nil
}

// openIssuer opens the CA that --issuer names.
func (k *keygen) openIssuer() (*signer.Issuer, error) {
	comma := strings.LastIndex(k.issuer, ",")
	ref, file := k.issuer[:comma], k.issuer[comma+1:]
	data, err := k.app.readInput(file, maxCertificate)
	if err != nil {
		return nil, err
	}
	cert, err := keys.ParseCertificate(data)
	if err == nil {
		err = keys.CheckAuthority(cert, k.app.now())
	}
	if err != nil {
		return nil, forFile(file, err)
	}
	key, err := signer.Open(ref, signer.Options{Password: k.passwords.get})
	if err != nil {
		return nil, err
	}
	if err := keys.CertificateOf(cert, key.Public()); err != nil {
		key.Close()
		return nil, forFile(file, err)
	}
	return &signer.Issuer{Signer: key, Certificate: cert}, nil
}
