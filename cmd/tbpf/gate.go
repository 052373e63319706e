package main

import (
	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
)

func newGate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gate build|enable|status|log|learn",
		Short: "Refuse BPF that nobody signed, for everybody",
		Long: `The gate is a set of BPF LSM programs that refuse every load of BPF which the
machine's keys did not sign, for everybody including root, until the machine is
started anew. gate build signs it with your key; the table [gate] of
/etc/tbpf/policy.toml says how a machine has it (docs/policy.md), and
tbpf-loader boot arms it before anything else is loaded.`,
		GroupID: groupLoad,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(seeHelp(cmd), "gate needs build, enable, status, log or learn")
			}
			return usage(seeHelp(cmd), "unknown command %q of gate", report.Name(args[0]))
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.AddCommand(newGateBuild(a), newGateEnable(a), newGateStatus(a), newGateLog(a), newGateLearn(a))
	for _, sub := range cmd.Commands() {
		sub.Flags().SortFlags = false
		sub.DisableFlagsInUseLine = true
	}
	return cmd
}
