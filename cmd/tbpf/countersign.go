package main

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/internal/wholefile"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/verify"
)

// countersign is one run of `tbpf countersign`.
type countersign struct {
	app         *app
	trust       trust
	signing     signing
	kernel      bool
	attestation string
	publicKey   string
}

func newCountersign(a *app) *cobra.Command {
	c := &countersign{app: a, trust: trust{app: a}, signing: signing{app: a, out: output{app: a}, passwords: passwords{app: a}}}
	cmd := &cobra.Command{
		Use: "countersign FILE (--key REF --cert FILE [--kernel] [--kernel-key REF --kernel-cert FILE] [--chain FILE] | --attestation FILE --public-key FILE) " +
			"[-o OUT] [--seal FILE] [--keyring PATH]... [--policy FILE] [--revocations FILE]... [--threshold N] [--bundle FILE]... [--trusted-root FILE]",
		Short: "Add a signature to a sealed file",
		Long: `Countersign verifies a sealed file, by --keyring and --policy as verify does, and
adds a signature to it. The others stay as they are: CI signs, the release
countersigns, and machines ask for both (threshold in their policy).

The file is replaced as a whole, or with --seal the seal; with -o the result goes
elsewhere. With --kernel the kernel signatures are made anew by this key, for
machines whose kernel keyring has it.

With --attestation the signature is one that another program made of the very
manifest in the file, as cosign attest-blob --statement does.`,
		Example: `  tbpf countersign guard.bpf.tbpf --keyring ci.crt --key release.key --cert release.crt --kernel

  tbpf extract guard.bpf.tbpf --manifest -o statement.json
  cosign attest-blob --key cosign.key --statement statement.json --tlog-upload=false \
    --new-bundle-format=false --use-signing-config=false --output-signature attestation.json
  tbpf countersign guard.bpf.tbpf --keyring ci.crt --attestation attestation.json --public-key cosign.pub`,
		GroupID: groupSign,
		Args:    oneFile,
		RunE:    a.run(c.run),
	}
	f := cmd.Flags()
	f.StringVar(&c.signing.key, "key", "", "private key `REF`: a file, env://VARIABLE, or PLUGIN://KEY")
	f.StringVar(&c.signing.cert, "cert", "", "certificate of the key, in `FILE`")
	f.BoolVar(&c.kernel, "kernel", false, "make the kernel signatures anew")
	f.StringVar(&c.signing.kernelKey, "kernel-key", "", "make them with the key `REF`")
	f.StringVar(&c.signing.kernelCrt, "kernel-cert", "", "certificate of the kernel key, in `FILE`")
	f.StringVar(&c.signing.chain, "chain", "", "embed the CAs between the certificate and the one that machines trust, in `FILE`,\nthe signer's first")
	f.StringVar(&c.attestation, "attestation", "", "add the signature of the DSSE envelope in `FILE`")
	f.StringVar(&c.publicKey, "public-key", "", "the key that made it is in `FILE`, in PEM")
	f.StringVar(&c.signing.passwords.file, "password-file", "", "read the password of the keys from `FILE`")
	c.signing.out.flags(cmd, "")
	c.trust.flags(cmd)
	c.trust.keyless.flags(cmd)
	return cmd
}

func (c *countersign) run(cmd *cobra.Command, args []string) (report.Document, error) {
	path := args[0]
	if err := c.check(cmd, path); err != nil {
		return nil, err
	}
	doc := report.NewCountersign(path)
	s, err := c.make(path)
	if isUsage(err) {
		return nil, err
	}
	doc.Done(s, outcome(err, report.Done))
	return doc, err
}

func (c *countersign) check(cmd *cobra.Command, path string) error {
	s := &c.signing
	attest := c.attestation != "" || c.publicKey != ""
	switch {
	case path == "-" && s.out.path == "":
		return usage("", "standard input is replaced by nothing: -o names the result")
	case attest && (c.attestation == "" || c.publicKey == ""):
		return usage("", "--attestation and --public-key go together")
	case attest && (s.key != "" || s.cert != "" || c.kernel || s.chain != "" || s.kernelKey != ""):
		return usage(seeHelp(cmd), "--attestation brings its signature: no key is needed")
	case attest:
	case s.key == "" || s.cert == "":
		return usage("`tbpf keygen --name release` makes a key and its certificate", "countersign needs --key and --cert, or --attestation")
	case (s.kernelKey == "") != (s.kernelCrt == ""):
		return usage(seeHelp(cmd), "--kernel-key and --kernel-cert go together")
	case s.kernelKey != "" && !c.kernel:
		return usage("", "--kernel-key is for --kernel")
	}
	if s.out.path != "" {
		if lost := s.out.overwrites(s.key, s.cert, s.kernelKey, s.kernelCrt, s.passwords.file); lost != "" {
			return usage("choose another name with -o", "-o would replace %s", report.Name(lost))
		}
		if err := s.out.check(); err != nil {
			return err
		}
	}
	return c.trust.check(cmd, []string{path})
}

// make verifies, countersigns and writes.
func (c *countersign) make(path string) (*seal.Seal, error) {
	opt, err := c.trust.options()
	if err == nil {
		opt, err = c.trust.withRevocations(opt)
	}
	if err != nil {
		return nil, err
	}
	v, err := c.trust.verify(path, opt)
	if err != nil {
		return nil, err
	}
	made, err := c.add(v)
	if err != nil {
		return nil, forFile(path, err)
	}
	data, err := made.Encode()
	if err != nil {
		return nil, forFile(path, err)
	}
	target := path
	if c.trust.seal != "" {
		target = c.trust.seal
	} else {
		data = seal.Join(v.Object(), data)
	}
	if c.signing.out.path != "" {
		return made, c.signing.out.write(data)
	}
	c.app.busy.Lock()
	defer c.app.busy.Unlock()
	return made, forFile(target, wholefile.Replace(target, data))
}

// add makes the seal with one signature more.
func (c *countersign) add(v *verify.Verified) (*seal.Seal, error) {
	if c.attestation != "" {
		return c.attested(v)
	}
	closeKeys, err := c.openKeys()
	defer closeKeys()
	if err != nil {
		return nil, err
	}
	opt := c.signing.options
	if opt.Created, err = sourceDate(time.Now()); err != nil {
		return nil, err
	}
	return sign.Countersign(v, v.Seal(), opt, c.kernel)
}

func (c *countersign) openKeys() (closeKeys func(), err error) {
	s := &c.signing
	cert, err := c.app.certificate(s.cert)
	if err != nil {
		return func() {}, err
	}
	return s.openNew(cert)
}

// attested adds what another program signed.
func (c *countersign) attested(v *verify.Verified) (*seal.Seal, error) {
	data, err := c.app.readInput(c.attestation, dsse.MaxEnvelope)
	if err != nil {
		return nil, err
	}
	e, err := dsse.Parse(data)
	switch {
	case err != nil:
		return nil, forFile(c.attestation, withHint(err, "a DSSE envelope is wanted, as `cosign attest-blob --new-bundle-format=false --output-signature` writes it; sign-blob makes none"))
	case e.PayloadType != manifest.PayloadType || !bytes.Equal(e.Payload, v.Seal().Payload):
		return nil, forFile(c.attestation, &verify.Error{Reason: verify.WrongSignature, Detail: "it is an attestation of something else than this file's manifest",
			Hint: "`tbpf extract --manifest` gives what is to be attested"})
	case len(e.Signatures) != 1:
		return nil, forFile(c.attestation, fmt.Errorf("it has %d signatures, one is added at a time", len(e.Signatures)))
	}
	ring, err := keys.LoadKeyring([]string{c.publicKey})
	if err != nil {
		return nil, err
	}
	if n := len(ring.Keys()); n != 1 {
		return nil, forFile(c.publicKey, fmt.Errorf("it has %d keys, and one made the signature", n))
	}
	made, err := sign.Attested(v, v.Seal(), ring.Keys()[0], e.Signatures[0].Value)
	return made, forFile(c.attestation, err)
}

// openNew opens the keys of a certificate that is about to sign: the private key,
// and the kernel's.
func (s *signing) openNew(cert *x509.Certificate) (closeKeys func(), err error) {
	closeKeys = func() {
		for _, key := range []*signer.Signer{s.options.Signer, s.options.KernelSigner} {
			if key != nil {
				key.Close()
			}
		}
		s.passwords.wipe()
	}
	if err := signer.ForbidCoreDumps(); err != nil {
		return closeKeys, err
	}
	if err := s.readChain(); err != nil {
		return closeKeys, err
	}
	o := &s.options
	o.Certificate = cert
	if o.Signer, err = s.open(s.key, s.cert, cert); err != nil || s.kernelKey == "" {
		return closeKeys, err
	}
	if o.KernelCertificate, err = s.app.certificate(s.kernelCrt); err != nil {
		return closeKeys, err
	}
	o.KernelSigner, err = s.open(s.kernelKey, s.kernelCrt, o.KernelCertificate)
	return closeKeys, err
}
