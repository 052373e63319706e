package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/kernelkeys"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/keys"
)

// keyringCommand is one run of `tbpf keyring`.
type keyringCommand struct {
	app    *app
	to     string
	format string
	out    output
}

func newKeyring(a *app) *cobra.Command {
	k := &keyringCommand{app: a, out: output{app: a}}
	cmd := &cobra.Command{
		Use:   "keyring (list | enroll CERTIFICATE --to RING | export CERTIFICATE -o OUT [--format der|esl])",
		Short: "Look at the kernel's keyrings, and put certificates there",
		Long: `Keyring list shows the kernel's own keyrings that signatures are checked against
and the one that tbpf-loader made for this boot, with the keys in them, and which
of those are of this machine's keyring.

Keyring enroll puts a certificate into one of them, where the kernel lets root do
that: fs-verity, and secondary and ima for certificates that a key in there
signed. For the others it says what to do: docs/keyrings.md.

Keyring export writes a certificate as firmware tools take it: der for mokutil,
esl (a UEFI signature list) for efi-updatevar and virt-fw-vars.`,
		Example: `  tbpf keyring list
  tbpf keyring enroll release.crt --to fs-verity
  tbpf keyring export release.crt -o release.der`,
		GroupID: groupLook,
		RunE:    a.run(k.run),
	}
	f := cmd.Flags()
	f.StringVar(&k.to, "to", "", "`RING` that enroll puts it into: fs-verity, secondary, ima, bpf")
	f.StringVar(&k.format, "format", "der", "`FORMAT` of export: der, esl")
	k.out.flags(cmd, "")
	fixed(cmd, "format", "der", "esl")
	return cmd
}

func (k *keyringCommand) run(cmd *cobra.Command, args []string) (report.Document, error) {
	if len(args) == 0 || !slices.Contains([]string{"list", "enroll", "export"}, args[0]) {
		return nil, usage(seeHelp(cmd), "keyring needs to know what: list, enroll or export")
	}
	doc := &report.Keyring{Head: report.NewHead("keyring"), Action: args[0], Keyrings: []report.KernelKeyring{}}
	want := 2
	if args[0] == "list" {
		want = 1
	}
	given := cmd.Flags().Changed
	switch {
	case len(args) != want:
		return nil, usage(seeHelp(cmd), "keyring %s takes %d arguments, not %d", args[0], want-1, len(args)-1)
	case (args[0] == "enroll") != given("to"):
		return nil, usage(seeHelp(cmd), "--to says which keyring to enroll in")
	case (args[0] == "export") != given("output"), args[0] != "export" && (given("format") || given("force")):
		return nil, usage(seeHelp(cmd), "-o names the file that export writes, and is for export alone")
	case k.format != "der" && k.format != "esl":
		return nil, usage("der or esl", "unknown format %q", k.format)
	}
	var err error
	if args[0] == "list" {
		err = k.list(doc)
	} else {
		doc.Path = report.Name(args[1])
		err = k.certificate(args[0], args[1], doc)
	}
	if isUsage(err) {
		return nil, err
	}
	doc.Outcome = outcome(err, report.Done)
	return doc, err
}

func (k *keyringCommand) list(doc *report.Keyring) error {
	rings, err := kernelkeys.List()
	if err != nil {
		return err
	}
	trusted, err := keys.LoadSystemKeyring(keys.SystemDirs()...)
	if err != nil {
		return err
	}
	doc.Keyrings = kernelkeys.Report(rings, trusted)
	return nil
}

// certificate reads a certificate, and enrolls or exports it.
func (k *keyringCommand) certificate(action, path string, doc *report.Keyring) error {
	data, err := k.app.readInput(path, maxCertificate)
	if err != nil {
		return err
	}
	cert, err := keys.ParseCertificate(data)
	if err != nil {
		return forFile(path, err)
	}
	if action == "enroll" {
		return k.enroll(cert, doc)
	}
	if err := k.out.check(); err != nil {
		return err
	}
	made := cert.Raw
	if k.format == "esl" {
		made = kernelkeys.SignatureList(cert)
	}
	if err := k.out.write(made); err != nil {
		return err
	}
	doc.Output = report.Name(k.out.path)
	return nil
}

func (k *keyringCommand) enroll(cert *x509.Certificate, doc *report.Keyring) error {
	name := ""
	for _, known := range kernelkeys.Known() {
		if known[0] == k.to {
			name = known[1]
		}
	}
	steps := map[string]string{
		"builtin":   "it holds what the kernel was built with (CONFIG_SYSTEM_TRUSTED_KEYS)",
		"platform":  "it is filled from UEFI's db when the machine boots: tbpf keyring export --format esl, and docs/keyrings.md",
		"machine":   "it is filled from the MOK list when the machine boots: tbpf keyring export, mokutil --import, and docs/keyrings.md",
		"blacklist": "what is in it is refused: it is no place for a certificate that is to be trusted",
	}
	if name == "" {
		return usage("fs-verity, secondary, ima or bpf", "unknown keyring %q", k.to)
	}
	if hint, never := steps[k.to]; never {
		return withHint(fmt.Errorf("the kernel lets nobody put a certificate into %s", name), hint)
	}
	rings, err := kernelkeys.List()
	if err != nil {
		return err
	}
	for _, ring := range rings {
		if ring.Name != name {
			continue
		}
		if err := kernelkeys.Enroll(ring.Serial, cert); err != nil {
			return withHint(fmt.Errorf("%s: %w", name, err), "root may put certificates into .fs-verity as long as it is not restricted, and into .secondary_trusted_keys and .ima such as a key in there signed: docs/keyrings.md")
		}
		doc.Keyrings = append(doc.Keyrings, report.KernelKeyring{Serial: ring.Serial, Name: report.Name(ring.Name), Keys: []report.KernelKey{}})
		return nil
	}
	return withHint(errors.New("this kernel has no keyring "+name+", or does not show it"), "/proc/keys shows keyrings to root")
}
