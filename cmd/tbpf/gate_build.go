package main

import (
	"github.com/spf13/cobra"

	gateobject "github.com/trustedbpf/tbpf/gate/object"
	"github.com/trustedbpf/tbpf/internal/report"
)

// gateFile is the file that the gate's object is for people, and gateName what
// its manifest calls it.
const (
	gateFile = "gate.bpf.o"
	gateName = "gate"
)

func newGateBuild(a *app) *cobra.Command {
	s := &signing{app: a, out: output{app: a}, passwords: passwords{app: a}}
	cmd := &cobra.Command{
		Use:   "build --key REF --cert FILE [-o OUT] [--version V]",
		Short: "Sign the gate with your own key",
		Long: `Gate build makes the sealed gate, gate.bpf.tbpf, of the object that tbpf
contains. It belongs into /usr/lib/tbpf. The source is in the directory
gate/object; tbpf verify --reproduce makes its loader programs again.`,
		Example: `  tbpf gate build --key release.key --cert release.crt --version 1`,
		Args:    cobra.NoArgs,
		RunE: a.run(func(cmd *cobra.Command, _ []string) (report.Document, error) {
			s.name = gateName
			if s.out.path == "" {
				s.out.path = s.outputName(gateFile)
			}
			if err := s.check(cmd, []string{gateFile}); err != nil {
				return nil, err
			}
			src := source{path: gateFile, data: gateobject.Bytes(), output: s.out}
			if src.err = src.output.check(); isUsage(src.err) {
				return nil, src.err
			}
			doc := report.NewGate("build")
			closeKeys, err := s.openKeys([]source{src})
			defer closeKeys()
			if isUsage(err) {
				return nil, err
			}
			if err == nil {
				err = src.err
			}
			if err == nil {
				_, _, err = s.sign(src)
			}
			doc.Outcome = outcome(err, report.Done)
			if err == nil {
				doc.Output = report.Name(src.output.path)
			}
			return doc, err
		}),
	}
	f := cmd.Flags()
	f.StringVar(&s.key, "key", "", "private key `REF`: a file, or env://VARIABLE")
	f.StringVar(&s.cert, "cert", "", "certificate of the key, in `FILE`")
	s.out.flags(cmd, "")
	f.Uint64Var(&s.version, "version", 0, "version `V` of the gate; 0 is none")
	f.StringVar(&s.passwords.file, "password-file", "", "read the password of the key from `FILE`")
	return cmd
}
