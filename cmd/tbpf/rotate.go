package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/internal/wholefile"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/verify"
)

// rotate is one run of `tbpf rotate`.
type rotate struct {
	app     *app
	trust   trust
	signing signing
	write   bool
	id      keys.ID // of the new key
}

func newRotate(a *app) *cobra.Command {
	r := &rotate{app: a, trust: trust{app: a}, signing: signing{app: a, passwords: passwords{app: a}}}
	cmd := &cobra.Command{
		Use:   "rotate DIR|FILE... --cert FILE [--key REF] [--kernel-key REF --kernel-cert FILE] [--chain FILE] [--kernel-chain] [--write] [--keyring PATH]... [--policy FILE] [--revocations FILE]... [--threshold N]",
		Short: "Sign sealed files anew with another key",
		Long: `Rotate replaces the signatures of sealed files by those of another key, for a key
that is given up or whose certificate expires. Object, loader programs and
everything that the manifest says stay as they are, but for the time of signing.

Of a directory it takes every .tbpf file, and every .seal with its object beside
it, in all directories beneath it. Each is verified first, by --keyring, --policy
and --revocations: what they refuse is left alone, and said.

Without --write it only says what it would do, and needs no private key. With it
each file is replaced as a whole, so that it can be interrupted and started again:
what the new key signed already is passed over.`,
		Example: `  tbpf rotate /srv/bpf --keyring old.crt --cert new.crt
  tbpf rotate /srv/bpf --keyring old.crt --cert new.crt --key new.key --write`,
		GroupID: groupSign,
		Args:    someFiles,
		RunE:    a.run(r.run),
	}
	f := cmd.Flags()
	f.StringVar(&r.signing.cert, "cert", "", "certificate of the new key, in `FILE`")
	f.StringVar(&r.signing.key, "key", "", "new private key `REF`: a file, env://VARIABLE, or PLUGIN://KEY")
	f.StringVar(&r.signing.kernelKey, "kernel-key", "", "make the kernel signatures with the key `REF`")
	f.StringVar(&r.signing.kernelCrt, "kernel-cert", "", "certificate of the kernel key, in `FILE`")
	f.BoolVar(&r.write, "write", false, "sign, and replace the files")
	r.signing.chainFlags(cmd)
	r.trust.ruleFlags(cmd)
	f.StringVar(&r.signing.passwords.file, "password-file", "", "read the password of the keys from `FILE`")
	return cmd
}

func (r *rotate) run(cmd *cobra.Command, args []string) (report.Document, error) {
	if err := r.check(cmd, args); err != nil {
		return nil, err
	}
	doc := report.NewRotate(r.write)
	cert, err := r.app.certificate(r.signing.cert)
	if err != nil {
		return doc, err
	}
	if r.id, err = keys.IDOf(cert.PublicKey); err != nil {
		return doc, forFile(r.signing.cert, err)
	}
	opt, err := r.trust.options()
	if err == nil {
		opt, err = r.trust.withRevocations(opt)
	}
	if err != nil {
		return doc, err
	}
	files, err := sealedFiles(args)
	if err != nil {
		return doc, err
	}
	if r.write {
		closeKeys, err := r.signing.openNew(cert)
		defer closeKeys()
		if err != nil {
			return doc, err
		}
	}
	var errs []error
	for _, path := range files {
		if r.app.ctx.Err() != nil {
			break // a signal: every file is whole, and the next run goes on
		}
		state, v, err := r.one(path, opt)
		errs = append(errs, err)
		doc.Add(path, outcome(err, report.Done), state, v)
	}
	return doc, errors.Join(errs...)
}

func (r *rotate) check(cmd *cobra.Command, args []string) error {
	switch {
	case r.signing.cert == "":
		return usage("`tbpf keygen` makes a key and its certificate", "rotate needs --cert")
	case r.write && r.signing.key == "":
		return usage("", "--write needs --key")
	case (r.signing.kernelKey == "") != (r.signing.kernelCrt == ""):
		return usage(seeHelp(cmd), "--kernel-key and --kernel-cert go together")
	case slices.Contains(args, "-"):
		return usage("", "rotate replaces files: standard input is none")
	}
	return r.trust.check(cmd, args)
}

// one checks and replaces one file. A detached seal is replaced, its object
// never.
func (r *rotate) one(path string, opt verify.Options) (report.RotateState, *verify.Verified, error) {
	object, detached := path, ""
	if base, ok := strings.CutSuffix(path, ".seal"); ok {
		object, detached = base, path
	}
	in, err := r.app.readSealed(object, detached)
	if err != nil {
		return report.RotateRefused, nil, err
	}
	opt.Seal, opt.Beginning = in.detached, in.beginning
	if r.current(in.file, in.detached) {
		return report.RotateCurrent, nil, nil
	}
	v, err := verify.Bytes(in.file, opt)
	if err != nil {
		return report.RotateRefused, nil, forFile(path, err)
	}
	if !r.write {
		return report.RotatePlanned, v, nil
	}
	again := r.signing.options
	if again.Created, err = sourceDate(time.Now()); err != nil {
		return report.RotateRefused, nil, err
	}
	s, _, err := sign.Again(v, again)
	if err != nil {
		return report.RotateRefused, v, forFile(path, err)
	}
	data, err := s.Encode()
	if err != nil {
		return report.RotateRefused, v, forFile(path, err)
	}
	if detached == "" {
		data = seal.Join(v.Object(), data)
	}
	r.app.busy.Lock()
	defer r.app.busy.Unlock()
	if err := wholefile.Replace(path, data); err != nil {
		return report.RotateRefused, v, forFile(path, err)
	}
	return report.RotateDone, v, nil
}

// current reports whether the new key alone signed a file already: then a run
// before this one did it.
func (r *rotate) current(file, detached []byte) bool {
	if detached == nil {
		var err error
		if _, detached, err = seal.Split(file); err != nil {
			return false
		}
	}
	s, err := seal.Decode(detached)
	return err == nil && len(s.Signatures) == 1 && len(s.Countersignatures) == 0 && s.Signatures[0].KeyID == r.id
}

// sealedFiles lists the files that are named, and those in directories that are,
// in the order of the command line. Symbolic links in directories are left alone.
func sealedFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, forFile(arg, err)
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		err = filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && slices.Contains([]string{".tbpf", ".seal"}, filepath.Ext(path)) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, forFile(arg, err)
		}
	}
	return files, nil
}
