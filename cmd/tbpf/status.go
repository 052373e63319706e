package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/inventory"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/loader"
)

func newStatus(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "status [--pin DIR]",
		Short: "Show what BPF the machine has, and what of it is tbpf's",
		Long: `Status shows the objects that tbpf load --pin and tbpf-loader left in the
kernel, and every other BPF program, map and link of the machine by its id.

What it says of the kernel was asked of it just now. Who signed an object is from
the record that tbpf-loader wrote (/run/tbpf), and is shown only if every id, tag
and load time in the record is the kernel's. What no pin holds but only a process
is listed as not tbpf's. Without CAP_SYS_ADMIN the kernel does not list what the
machine has, and a notice says so.`,
		GroupID: groupLoad,
		Args:    noArguments,
		RunE: a.run(func(cmd *cobra.Command, _ []string) (report.Document, error) {
			var m *inventory.Machine
			var err error
			if cmd.Flags().Changed("pin") {
				_, err = os.Stat(dir) // the default one appears with the first object
				err = forFile(dir, err)
			}
			if err == nil {
				m, err = inventory.Read(dir)
			}
			doc := report.NewStatus(dir, outcome(err, report.Done))
			if err == nil {
				describe(doc, m)
			}
			return doc, err
		}),
	}
	cmd.Flags().StringVar(&dir, "pin", loader.DefaultPinDir, "look beneath `DIR`, and where records say")
	return cmd
}

// describe turns an inventory into the document.
func describe(doc *report.Status, m *inventory.Machine) {
	for i := range m.Objects {
		o := &m.Objects[i]
		if o.Record == nil {
			doc.Add(&o.Report, false, "", nil)
			continue
		}
		var signers []report.Signer
		for _, s := range o.Record.Signers {
			signers = append(signers, report.Signer{KeyID: s.KeyID.String(), Subject: s.Subject, Algorithm: s.Algorithm})
		}
		doc.Add(&o.Report, true, o.Record.File, signers)
	}
	if m.Complete {
		var programs []report.StatusProgram
		var maps []report.StatusMap
		var links []report.StatusLink
		for _, p := range m.Programs {
			programs = append(programs, report.StatusProgram{ID: p.ID, Type: p.Type, Name: p.Name, Tag: p.Tag, Object: p.Object})
		}
		for _, x := range m.Maps {
			maps = append(maps, report.StatusMap{ID: x.ID, Type: x.Type, Name: x.Name, Object: x.Object})
		}
		for _, l := range m.Links {
			links = append(links, report.StatusLink{ID: l.ID, Type: l.Type, ProgramID: l.ProgramID, Object: l.Object})
		}
		doc.Machine(programs, maps, links)
	}
	for _, n := range m.Notices {
		doc.Notice(n)
	}
}
