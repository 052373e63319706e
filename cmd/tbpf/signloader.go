package main

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/imasig"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/program"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/verify"
)

// maxProgram bounds a program file, in bytes.
const maxProgram = 256 << 20

// signLoader is one run of `tbpf sign-loader`.
type signLoader struct {
	signing
	version uint64
	ima     bool
}

func newSignLoader(a *app) *cobra.Command {
	s := &signLoader{signing: signing{app: a, out: output{app: a}, passwords: passwords{app: a}}}
	cmd := &cobra.Command{
		Use:   "sign-loader FILE --key REF --cert FILE [--version V] [--ima] [-o BASE]",
		Short: "Sign the trusted loader itself",
		Long: `Sign-loader signs a program file, which stays as it is, and writes beside it

  FILE.statement.json   what it is and its version, signed; tbpf verify --statement checks it
  FILE.fsverity.p7s     the signature that fs-verity takes, for the kernel's keyring .fs-verity
  FILE.ima              with --ima: the value of the attribute security.ima

The fs-verity digest that it prints is what a policy pins ([loader] digest).`,
		Example: `  tbpf sign-loader tbpf-loader --key release.key --cert release.crt --version 3
  tbpf verify tbpf-loader --statement tbpf-loader.statement.json --keyring release.crt`,
		GroupID: groupSign,
		Args:    oneFile,
		RunE:    a.run(s.run),
	}
	f := cmd.Flags()
	f.StringVar(&s.key, "key", "", "private key `REF`: a file, or env://VARIABLE")
	f.StringVar(&s.cert, "cert", "", "certificate of the key, in `FILE`")
	f.Uint64Var(&s.version, "version", 0, "version `V` of the program; 0 is none")
	f.BoolVar(&s.ima, "ima", false, "sign for IMA, too")
	f.StringVarP(&s.out.path, "output", "o", "", "write to `BASE`.statement.json and so on (default: FILE)")
	f.BoolVar(&s.out.force, "force", false, "replace the output files if they exist")
	f.StringVar(&s.passwords.file, "password-file", "", "read the password of the key from `FILE`")
	return cmd
}

func (s *signLoader) run(cmd *cobra.Command, args []string) (report.Document, error) {
	switch {
	case s.key == "":
		return nil, usage("`tbpf keygen --name release` makes a key and its certificate", "sign-loader needs --key")
	case s.cert == "":
		return nil, usage("`tbpf keygen --from KEY --name N` makes a certificate for a key that has none", "sign-loader needs --cert")
	case args[0] == "-" || s.out.path == "-":
		return nil, usage("", "sign-loader writes several files beside the program: name a file")
	case cmd.Flags().Changed("output") && s.out.path == "":
		return nil, usage("", "the name of the output files is empty")
	}
	doc := &report.SignLoader{Head: report.NewHead("sign-loader"), Path: report.Name(args[0])}
	err := s.sign(args[0], doc)
	if isUsage(err) {
		return nil, err
	}
	if err != nil {
		doc = &report.SignLoader{Head: report.NewHead("sign-loader"), Path: report.Name(args[0])}
	}
	doc.Outcome = outcome(err, report.Done)
	return doc, err
}

func (s *signLoader) sign(path string, doc *report.SignLoader) error {
	base := s.out.path
	if base == "" {
		base = path
	}
	outputs := map[string]*output{}
	for _, suffix := range []string{".statement.json", ".fsverity.p7s", ".ima"} {
		o := &output{app: s.app, path: base + suffix, force: s.out.force, text: true}
		if lost := o.overwrites(path, s.key, s.cert, s.passwords.file); lost != "" {
			return usage("choose another name with -o", "-o would replace %s", report.Name(lost))
		}
		if err := o.check(); err != nil && (suffix != ".ima" || s.ima) {
			return err
		}
		outputs[suffix] = o
	}
	file, err := s.app.readInput(path, maxProgram)
	if err != nil {
		return err
	}
	if len(file) == 0 {
		return forFile(path, errors.New("is empty"))
	}
	name := filepath.Base(path)
	if err := manifest.CheckName(name); err != nil {
		return forFile(path, err)
	}
	created, err := sourceDate(s.app.now())
	if err != nil {
		return err
	}
	statement, err := program.Describe(name, file, s.version, created)
	if err != nil {
		return forFile(path, err)
	}
	if err := signer.ForbidCoreDumps(); err != nil {
		return err
	}
	cert, err := s.app.certificate(s.cert)
	if err != nil {
		return err
	}
	key, err := s.open(s.key, s.cert, cert)
	if err != nil {
		return err
	}
	defer key.Close()
	defer s.passwords.wipe()
	made, err := sign.Program(file, *statement, key, cert, s.ima)
	if err != nil {
		return forFile(path, err)
	}
	doc.Describe(made.Statement)
	for _, part := range []struct {
		suffix string
		data   []byte
		named  *string
	}{{".statement.json", made.Envelope, &doc.Statement}, {".fsverity.p7s", made.FSVerity, &doc.FSVeritySignature}, {".ima", made.IMA, &doc.IMA}} {
		if part.data == nil {
			continue
		}
		if err := outputs[part.suffix].write(part.data); err != nil {
			return err
		}
		*part.named = report.Name(outputs[part.suffix].path)
	}
	if made.FSVerity == nil {
		s.app.notice(report.Name(path) + ": not signed for fs-verity: the kernel takes no such key")
	}
	if s.ima && !imasig.EvmctlFinds(cert) {
		s.app.notice(report.Name(path) + ": the kernel finds the IMA signature's key, but evmctl does not: it takes the SHA-1 of the key for its identifier, and the certificate has another one")
	}
	return nil
}

// program verifies a program against its statement; both are read once.
func (t *trust) program(path, statement string, opt verify.Options) (*verify.Program, error) {
	file, err := t.app.readInput(path, maxProgram)
	if err != nil {
		return nil, err
	}
	envelope, err := t.app.readInput(statement, program.MaxSize)
	if err != nil {
		return nil, err
	}
	v, err := verify.File(file, envelope, opt)
	if isRefused(err, verify.NoTrustedSigner) && len(opt.Keyring.Keys()) == 0 {
		err = withHint(err, t.noKeys())
	}
	return v, forFile(path, err)
}
