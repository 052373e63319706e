package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
)

// extract is one run of `tbpf extract`: exactly one of the parts is wanted.
type extract struct {
	app                        *app
	out                        output
	manifest, envelope, object bool
	payload, signature         string
}

func newExtract(a *app) *cobra.Command {
	e := &extract{app: a, out: output{app: a}}
	cmd := &cobra.Command{
		Use:   "extract FILE (--manifest|--envelope|--object|--kernel-payload PROFILE|--kernel-signature PROFILE) [-o OUT]",
		Short: "Take one part out of a sealed file",
		Long: `Extract takes one part out of a sealed file, for other tools to look at or to
check. It verifies nothing. FILE may also be the seal alone, as sign --detach
writes it.

A PROFILE is bound, selfcheck-excl or selfcheck.`,
		Example: `  tbpf extract guard.bpf.tbpf --manifest | jq .predicate.programs

  tbpf extract guard.bpf.tbpf --kernel-payload bound -o payload
  tbpf extract guard.bpf.tbpf --kernel-signature bound -o payload.p7s
  openssl cms -verify -binary -inform DER -in payload.p7s -content payload \
    -certfile release.crt -CAfile release.crt -purpose any -out /dev/null`,
		GroupID: groupLook,
		Args:    oneFile,
		RunE: a.run(func(cmd *cobra.Command, args []string) (report.Document, error) {
			what, part, err := e.part(cmd)
			if err != nil {
				return nil, err
			}
			return a.derive("extract", args[0], what, &e.out, part)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&e.manifest, "manifest", false, "the manifest: an in-toto statement in JSON, as it was signed")
	f.BoolVar(&e.envelope, "envelope", false, "manifest and signatures as a DSSE envelope, for cosign")
	f.BoolVar(&e.object, "object", false, "the object, as before signing")
	f.StringVar(&e.payload, "kernel-payload", "", "what the kernel signature of `PROFILE` covers")
	f.StringVar(&e.signature, "kernel-signature", "", "the kernel signature of `PROFILE`: CMS in DER")
	e.out.flags(cmd, "-")
	for _, flag := range []string{"kernel-payload", "kernel-signature"} {
		fixed(cmd, flag, profileNames()...)
	}
	return cmd
}

// part returns what is wanted and how it is taken out of a file.
func (e *extract) part(cmd *cobra.Command) (what string, part func(file []byte) ([]byte, error), err error) {
	if err := exclusive(cmd, "manifest", "envelope", "object", "kernel-payload", "kernel-signature"); err != nil {
		return "", nil, err
	}
	name := e.payload + e.signature
	switch {
	case e.manifest:
		e.out.text = true
		return "manifest", sealed(func(s *seal.Seal) ([]byte, error) { return s.Payload, nil }), nil
	case e.envelope:
		e.out.text = true
		return "envelope", sealed(envelope), nil
	case e.object:
		return "object", object, nil
	case name == "":
		return "", nil, usage("--manifest, --envelope, --object, --kernel-payload or --kernel-signature", "extract needs to know what")
	}
	profile, err := bpfabi.ParseProfile(name)
	if err != nil {
		return "", nil, usage("bound, selfcheck-excl or selfcheck", "unknown profile %q", name)
	}
	if e.payload != "" {
		return "kernel-payload", sealed(func(s *seal.Seal) ([]byte, error) {
			l, err := loaderOf(s, profile)
			if err != nil {
				return nil, err
			}
			return profile.Payload(l.Instructions, s.Metadata), nil
		}), nil
	}
	return "kernel-signature", sealed(func(s *seal.Seal) ([]byte, error) {
		l, err := loaderOf(s, profile)
		if err == nil && l.CMS == nil {
			err = withHint(fmt.Errorf("the %v profile is not signed for the kernel", profile), "it was signed with a key that the kernel does not take")
		}
		if err != nil {
			return nil, err
		}
		return l.CMS, nil
	}), nil
}

func object(file []byte) ([]byte, error) {
	object, _, err := seal.Split(file)
	return object, framing(err)
}

// sealed decodes the seal, at the end of an object or alone.
func sealed(part func(*seal.Seal) ([]byte, error)) func([]byte) ([]byte, error) {
	return func(file []byte) ([]byte, error) {
		s, err := openSeal(file)
		if err != nil {
			return nil, err
		}
		return part(s)
	}
}

func openSeal(file []byte) (*seal.Seal, error) {
	if s, err := seal.Decode(file); err == nil {
		return s, nil
	}
	_, b, err := seal.Split(file)
	if err != nil {
		return nil, framing(err)
	}
	s, err := seal.Decode(b)
	return s, framing(err)
}

func envelope(s *seal.Seal) ([]byte, error) {
	e := &dsse.Envelope{PayloadType: manifest.PayloadType, Payload: s.Payload}
	for i := range s.Signatures {
		e.Signatures = append(e.Signatures, dsse.Signature{Value: s.Signatures[i].Value})
	}
	return e.Marshal()
}

func loaderOf(s *seal.Seal, profile bpfabi.Profile) (*seal.Loader, error) {
	for i := range s.Loaders {
		if s.Loaders[i].Profile == profile {
			return &s.Loaders[i], nil
		}
	}
	return nil, fmt.Errorf("there is no %v profile in this file", profile)
}

func profileNames() []string {
	var list []string
	for _, p := range bpfabi.Profiles() {
		list = append(list, p.String())
	}
	return list
}
