package main

import (
	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
)

func newStrip(a *app) *cobra.Command {
	out := &output{app: a}
	cmd := &cobra.Command{
		Use:   "strip FILE -o OUT",
		Short: "Cut the seal off: the object, bit for bit as it was before signing",
		Long: `Strip writes the object that a sealed file holds, bit for bit as it was before
signing. It verifies nothing.`,
		Example: `  tbpf strip guard.bpf.tbpf -o guard.bpf.o`,
		GroupID: groupLook,
		Args:    oneFile,
		RunE: a.run(func(cmd *cobra.Command, args []string) (report.Document, error) {
			if out.path == "" {
				return nil, usage("-o names the file to write, `-` is standard output", "strip needs -o")
			}
			return a.derive("strip", args[0], "object", out, object)
		}),
	}
	out.flags(cmd, "")
	return cmd
}

// derive makes one output of one sealed file.
func (a *app) derive(command, path, what string, out *output, make func(file []byte) ([]byte, error)) (report.Document, error) {
	data, err := func() ([]byte, error) {
		if err := out.check(); err != nil {
			return nil, err
		}
		file, err := a.readInput(path, maxInput)
		if err != nil {
			return nil, err
		}
		data, err := make(file)
		if err != nil {
			return nil, forFile(path, err)
		}
		return data, out.write(data)
	}()
	return report.NewOutput(command, path, what, out.path, data, outcome(err, report.Done)), err
}
