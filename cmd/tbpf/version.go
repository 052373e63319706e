package main

import (
	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/buildinfo"
	"github.com/trustedbpf/tbpf/internal/report"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print which build this is",
		GroupID: groupMore,
		Args:    noArguments,
		RunE: a.run(func(*cobra.Command, []string) (report.Document, error) {
			return report.NewVersion(buildinfo.Read()), nil
		}),
	}
}
