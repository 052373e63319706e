package main

import (
	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/verify"
)

func newInspect(a *app) *cobra.Command {
	var sealFile string
	cmd := &cobra.Command{
		Use:   "inspect FILE [--seal FILE]",
		Short: "Show what a sealed file says of itself",
		Long: `Inspect shows what a sealed file says of itself: its programs with what they
attach to and what they call, its maps and globals, what it needs, who signed
it. It checks no signature and trusts nothing: read it before you sign for a
file or trust it, and let verify decide.`,
		Example: `  tbpf inspect guard.bpf.tbpf
  tbpf inspect guard.bpf.tbpf --json | jq -r '.manifest.programs[].helpers[]' | sort -u`,
		GroupID: groupLook,
		Args:    oneFile,
		RunE: a.run(func(cmd *cobra.Command, args []string) (report.Document, error) {
			if err := notTwice("--seal", sealFile, args); err != nil {
				return nil, err
			}
			u, err := a.inspect(args[0], sealFile)
			return report.NewInspect(args[0], u, outcome(err, report.Done)), err
		}),
	}
	cmd.Flags().StringVar(&sealFile, "seal", "", "the seal is in `FILE`, as sign --detach wrote it")
	return cmd
}

func (a *app) inspect(path, sealFile string) (*verify.Unverified, error) {
	in, err := a.readSealed(path, sealFile)
	if err != nil {
		return nil, err
	}
	u, err := verify.Inspect(in.file, in.detached)
	return u, forFile(path, detachedError(sealFile, in.file, in.detached, err))
}
