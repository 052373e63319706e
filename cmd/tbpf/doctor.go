package main

import (
	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/doctor"
	"github.com/trustedbpf/tbpf/internal/report"
)

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine can do all of it, and what to do where not",
		Long: `Doctor looks at everything that loading needs: the kernel and what it was built
and booted with, mounts, the kernel's own keyrings, and the files that decide
what the machine trusts, read as tbpf-loader reads them. It verifies the objects
of the boot set and says which of them this kernel would not take.

It changes nothing, and works without privileges and where a gate denies loads:
what it cannot see it calls unknown. An item is "ok", "limited" (it works, with
less than a machine can have), "unknown" or a "problem", each with its remedy.

The exit code is 0 where all was seen and nothing is wrong, limits included. Else
it is that of the first problem: 12 for a keyring without keys, 14 for revocation
lists, 15 for the rollback floor, 16 for policy, keyring or loader, 20 where the
kernel would refuse the signature, 22 for a token that the policy requires and
the kernel lacks, 23 for the kernel and what is mounted, 31 for the boot set, and
an object's own. It is 22 where nothing is wrong with what was seen, and something
could not be seen.`,
		GroupID: groupLoad,
		Args:    noArguments,
		RunE: a.run(func(*cobra.Command, []string) (report.Document, error) {
			facts, err := doctor.Read()
			if err != nil {
				return report.NewDoctor("", "", outcome(err, report.Done)), err
			}
			r := doctor.Examine(facts)
			err = r.Error()
			doc := report.NewDoctor(r.Release, r.Machine, outcome(err, report.Done))
			for i := range r.Checks {
				c := &r.Checks[i]
				doc.Add(report.DoctorCheck{ID: c.ID, Subject: c.Subject, Status: c.Status.String(), Finding: c.Finding, Details: c.Details, Remedy: c.Remedy, ExitCode: c.Code})
			}
			return doc, err
		}),
	}
}
