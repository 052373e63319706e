package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/loader"
)

func newUnload(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "unload NAME|PIN... [--pin DIR]",
		Short: "Take pinned objects out of the kernel",
		Long: `Unload detaches and unloads objects that load --pin left in the kernel: by their
names, or by the paths of their pin directories. What tbpf did not pin is left
alone.`,
		Example: `  tbpf unload guard
  tbpf unload /sys/fs/bpf/tbpf/guard`,
		GroupID: groupLoad,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("`tbpf status` lists what is loaded", "unload needs a name")
			}
			for _, arg := range args {
				if arg == "" {
					return usage(seeHelp(cmd), "a name is empty")
				}
			}
			return nil
		},
		RunE: a.run(func(_ *cobra.Command, args []string) (report.Document, error) {
			a.busy.Lock()
			defer a.busy.Unlock()
			doc := report.NewUnload()
			var errs []error
			for _, arg := range args {
				err := loader.Unload(dir, arg)
				errs = append(errs, err)
				doc.Add(arg, outcome(err, report.Done))
			}
			return doc, errors.Join(errs...)
		}),
	}
	cmd.Flags().StringVar(&dir, "pin", loader.DefaultPinDir, "names are of objects pinned beneath `DIR`")
	return cmd
}
