package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign/twostep"
)

// twoStepFlags add --prepare and --complete.
func (s *signing) twoStepFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.prepareDir, "prepare", "", "sign nothing: write what has to be signed to the new directory `DIR`")
	cmd.Flags().StringVar(&s.completeDir, "complete", "", "make the sealed object of `DIR` and of the signatures that were put there")
}

// filesOrComplete wants files, or --complete without any.
func (s *signing) filesOrComplete(cmd *cobra.Command, args []string) error {
	if !cmd.Flags().Changed("complete") {
		return someFiles(cmd, args)
	}
	if len(args) > 0 {
		return usage("DIR has the object", "--complete takes no file: %q", args[0])
	}
	var other error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "complete", "output", "force", "detach", "json":
		default:
			other = usage("what is signed was settled with --prepare", "--complete and --%s exclude each other", f.Name)
		}
	})
	return other
}

// prepare writes the directory of the first step.
func (s *signing) prepare(cmd *cobra.Command, files []string) (report.Document, error) {
	switch {
	case len(files) != 1:
		return nil, usage("prepare one after the other", "--prepare takes one file, not %d", len(files))
	case s.key != "" || s.kernelKey != "":
		return nil, usage("the keys are needed where DIR is signed", "--prepare takes certificates and no keys")
	case s.out.path != "" || s.detach || s.out.force:
		return nil, usage("give it with --complete", "--prepare writes no sealed object: -o, --force and --detach are for the second step")
	}
	s.out.path = "-" // nothing goes there
	s.out.app = &app{stdout: s.app.stdout}
	sources, err := s.read(files)
	if err != nil {
		return nil, err
	}
	src := sources[0]
	doc := report.NewSign()
	todo, m, err := s.writePrepared(src)
	doc.Add(src.path, outcome(err, report.Done), s.prepareDir, len(src.data), false, m)
	if err == nil {
		var list []report.ToSign
		for _, item := range todo.Messages {
			list = append(list, report.ToSign{Payload: report.Name(filepath.Join(s.prepareDir, item.Payload)), Algorithm: item.Algorithm,
				KeyID: item.KeyID, Signature: report.Name(filepath.Join(s.prepareDir, item.Signature))})
		}
		doc.Prepared(list)
	}
	return doc, err
}

func (s *signing) writePrepared(src source) (*twostep.ToSign, *manifest.Manifest, error) {
	if src.err != nil {
		return nil, nil, src.err
	}
	o := &s.options
	o.Name, o.ObjectName = s.names(src.path)
	err := s.readChain()
	if err != nil {
		return nil, nil, err
	}
	if o.Certificate, err = s.app.certificate(s.cert); err != nil {
		return nil, nil, err
	}
	if o.Signer, err = signer.External(o.Certificate.PublicKey, nil); err != nil {
		return nil, nil, forFile(s.cert, err)
	}
	if s.kernelCrt != "" {
		if o.KernelCertificate, err = s.app.certificate(s.kernelCrt); err != nil {
			return nil, nil, err
		}
		if o.KernelSigner, err = signer.External(o.KernelCertificate.PublicKey, nil); err != nil {
			return nil, nil, forFile(s.kernelCrt, err)
		}
	}
	s.app.busy.Lock()
	defer s.app.busy.Unlock()
	todo, m, err := twostep.Prepare(s.prepareDir, src.data, *o)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, forFile(s.prepareDir, withHint(fs.ErrExist, "--prepare makes a new directory"))
	}
	return todo, m, forFile(src.path, err)
}

// complete makes the sealed object of the second step.
func (s *signing) complete() (report.Document, error) {
	object, made, m, err := twostep.Complete(s.completeDir)
	err = completeError(s.completeDir, err)
	var encoded []byte
	if err == nil {
		encoded, err = made.Encode()
	}
	size := len(encoded)
	if err == nil {
		if s.out.path == "" {
			s.out.path = s.outputName(filepath.Base(m.Object.Name))
		}
		if !s.detach {
			encoded = seal.Join(object, encoded)
		}
		if err = s.out.check(); err == nil {
			size, err = len(encoded), s.out.write(encoded)
		}
	}
	if isUsage(err) {
		return nil, err
	}
	doc := report.NewSign()
	doc.Add(s.completeDir, outcome(err, report.Done), s.out.path, size, s.detach, m)
	return doc, err
}

// completeError says what to do about a directory that is not complete.
func completeError(dir string, err error) error {
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path) && errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(path.Path, ".sig"):
		return withHint(forFile(path.Path, err), "sign the payload beside it; docs/keys.md has the commands")
	case errors.Is(err, keys.ErrSignature):
		return forFile(dir, withHint(err, "sign the files as --prepare of this version wrote them, with the key of the certificate"))
	}
	return forFile(dir, err)
}
