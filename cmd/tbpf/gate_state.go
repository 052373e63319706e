package main

import (
	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
)

func newGateStatus(a *app) *cobra.Command {
	return gateCommand(a, "status", "Show whether the gate is on, and what it decided", `Gate status shows the gate as the kernel has it: its mode, the keyrings that it
takes signatures of, and how often it decided what. It tries no load; gate enable
does.`, gateStatus)
}

func newGateEnable(a *app) *cobra.Command {
	return gateCommand(a, "enable", "Arm the gate, as the machine's policy says", `Gate enable loads the gate that the policy's table [gate] names, sees that it
refuses a load which has to be refused and lets one pass which has to pass, and
arms it. It reports on only then. What was loaded before stays: arm it at boot,
with tbpf-loader boot, where that matters. Turning it off takes a restart of the
machine.`, gateEnable)
}

func gateCommand(a *app, name, short, long string, f func(*report.Gate) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Long: long, Args: cobra.NoArgs,
		RunE: a.run(func(*cobra.Command, []string) (report.Document, error) {
			a.busy.Lock()
			defer a.busy.Unlock()
			doc := report.NewGate(name)
			err := f(doc)
			doc.Outcome = outcome(err, report.Done)
			return doc, err
		}),
	}
}
