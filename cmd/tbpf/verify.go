package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/verify"
)

func newVerify(a *app) *cobra.Command {
	t := &trust{app: a}
	var reproduce bool
	var floorFile, statement string
	cmd := &cobra.Command{
		Use:   "verify FILE... [--keyring PATH]... [--seal FILE] [--policy FILE] [--revocations FILE]... [--floor FILE] [--threshold N] [--bundle FILE]... [--trusted-root FILE] [--reproduce]",
		Short: "Check signatures, contents and policy of sealed files",
		Long: `Verify checks that a sealed file is, bit for bit, what trusted keys signed, and
that it keeps to the policy. It needs no privileges, no network and no kernel.

All files are checked; the exit code is that of the first that is refused. Keys
and certificates inside a file are never trusted for being there.

With --floor a version is refused that is older than the highest that a machine
loaded of that name and signer, as its rollback floor, a copy of
/var/lib/tbpf/floor, has it. The time is then not before that of the floor.

With --bundle a sigstore bundle of the manifest counts as one more signature, if
the policy has its identity. tbpf-keyless, a program beside this one, checks it,
offline, with --trusted-root.

With --statement FILE is a program, such as tbpf-loader, and what sign-loader said
of it is verified: then nothing is taken for a sealed object.

With --reproduce the loader programs are made again from the object and compared
with those in the file: then neither the signer's machine nor BPF assembly has
to be trusted, only the object's source.`,
		Example: `  tbpf verify guard.bpf.tbpf --keyring release.crt
  tbpf verify *.tbpf --keyring /etc/tbpf/keyring.d --threshold 2 --json`,
		GroupID: groupLook,
		Args:    someFiles,
		RunE: a.run(func(cmd *cobra.Command, files []string) (report.Document, error) {
			if err := t.check(cmd, files); err != nil {
				return nil, err
			}
			if err := notTwice("--floor", floorFile, slices.Concat(files, []string{t.seal})); err != nil {
				return nil, err
			}
			if cmd.Flags().Changed("statement") {
				if len(files) != 1 {
					return nil, usage("verify one program at a time", "--statement belongs to one file, not to %d", len(files))
				}
				for _, flag := range []string{"seal", "floor", "reproduce"} {
					if err := exclusive(cmd, "statement", flag); err != nil {
						return nil, err
					}
				}
				if err := notTwice("--statement", statement, files); err != nil {
					return nil, err
				}
			}
			opt, err := t.options()
			if err == nil && cmd.Flags().Changed("floor") {
				err = a.readFloor(floorFile, &opt)
			}
			if err == nil {
				opt, err = t.withRevocations(opt)
			}
			if reproduce {
				opt.Regenerate = sign.Regenerate
			}
			doc := report.NewVerify()
			if cmd.Flags().Changed("statement") {
				var v *verify.Program
				if err == nil {
					v, err = t.program(files[0], statement, opt)
				}
				doc.AddProgram(files[0], v, outcome(err, report.Verified))
				return doc, err
			}
			var errs []error
			for _, path := range files {
				var v *verify.Verified
				// Without keyring and policy nothing is verified, but every
				// file has its entry.
				fileErr := err
				if err == nil {
					v, fileErr = t.verify(path, opt)
					errs = append(errs, fileErr)
				}
				doc.Add(path, v, reproduce, outcome(fileErr, report.Verified))
				if v != nil {
					a.notices(path, v.Notices())
				}
			}
			return doc, errors.Join(append(errs, err)...)
		}),
	}
	t.flags(cmd)
	t.keyless.flags(cmd)
	cmd.Flags().StringVar(&floorFile, "floor", "", "refuse versions and revocation lists older than those that the rollback floor in `FILE` has")
	cmd.Flags().StringVar(&statement, "statement", "", "the file is a program, and what sign-loader said of it is in `FILE`")
	cmd.Flags().BoolVar(&reproduce, "reproduce", false, "make the loader programs again from the object and compare")
	return cmd
}

// notices tells what a person should know although the file is verified.
func (a *app) notices(path string, notices []string) {
	if a.json {
		return
	}
	for _, n := range notices {
		a.notice(report.Name(path) + ": " + n)
	}
}
