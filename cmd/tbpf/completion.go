package main

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
)

func newCompletion(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "Print a completion script for a shell",
		Example: `  source <(tbpf completion bash)
  tbpf completion zsh > "${fpath[1]}/_tbpf"`,
		GroupID:   groupMore,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(seeHelp(cmd), "completion takes one shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: a.run(func(cmd *cobra.Command, args []string) (report.Document, error) {
			var script bytes.Buffer
			var err error
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&script, true)
			case "zsh":
				err = root.GenZshCompletion(&script)
			case "fish":
				err = root.GenFishCompletion(&script, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(&script)
			default:
				return nil, usage("one of "+strings.Join(shells, ", "), "unknown shell %q", args[0])
			}
			return &report.Completion{Head: report.NewHead("completion"), Shell: args[0], Script: script.String()}, err
		}),
	}
}
