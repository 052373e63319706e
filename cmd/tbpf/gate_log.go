package main

import (
	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
)

func newGateLog(a *app) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "log [-f]",
		Short: "Show what the gate decided",
		Long: `Gate log shows the decisions that the gate still remembers, the last 1024, oldest
first: what was asked, by which executable, and why it passed or was refused. It
reads the gate's memory in the kernel and changes nothing; how many decisions are
not in it any more is said.

With -f it goes on with new ones until a signal. With -f and --json it prints one
document a line for each time that it finds something.`,
		Example: `  tbpf gate log --json | jq -r '.log[] | select(.decision == "refused") | .executable'`,
		Args:    noArguments,
		RunE: a.run(func(*cobra.Command, []string) (report.Document, error) {
			doc := report.NewGateLog()
			err := gateLog(a, doc, follow)
			doc.Outcome = outcome(err, report.Done)
			if follow && err == nil {
				return nil, nil // all of it is printed
			}
			return doc, err
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new decisions until a signal")
	return cmd
}

func newGateLearn(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "learn",
		Short: "Propose an allow list from what the gate saw",
		Long: `Gate learn writes entries of an allow list for the machine's policy: one for each
executable that loaded programs which nobody signed, as the gate saw it in audit
mode. Read them before you put them into the policy: whoever runs such an
executable may load what it can be made to load. What the gate does not remember
any more, and what cannot be an entry, is said in comments.

An entry allows every program of the executable. Where it always loads the same
ones, name their tags (tbpf status shows them): tags = ["0123456789abcdef"].`,
		Example: `  tbpf gate learn >> /etc/tbpf/policy.toml`,
		Args:    noArguments,
		RunE: a.run(func(*cobra.Command, []string) (report.Document, error) {
			doc := report.NewGateLearn()
			err := gateLearn(doc)
			doc.Outcome = outcome(err, report.Done)
			return doc, err
		}),
	}
}
