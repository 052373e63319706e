package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// load is one run of `tbpf load`.
type load struct {
	app           *app
	trust         trust
	kernelKeyring string
	kernelVerify  string
	attach        []string
	set           []string
	options       loader.Options
}

func newLoad(a *app) *cobra.Command {
	l := &load{app: a, trust: trust{app: a, loads: true}}
	l.options.KernelConfig = kernelConfig
	cmd := &cobra.Command{
		Use:   "load FILE... [--keyring PATH]... [--seal FILE] [--policy FILE] [--revocations FILE]... [--threshold N] [--bpffs DIR] [--kernel-keyring RING] [--kernel-verify required|if-available] [--pin DIR] [--attach PROGRAM=TARGET]... [--set VAR=VALUE]...",
		Short: "Verify sealed files and load them into the kernel",
		Long: `Load verifies sealed files and loads them into the kernel, which checks the
signatures once more where it can (6.18 and newer). All files are verified before
the first is loaded; if one is refused, none stays.

Without --pin it keeps running, holds what it loaded until a signal, and then
takes it down. With --pin it pins and ends.

Without --kernel-keyring the kernel is given a keyring of tbpf's own with the
one certificate that the file's kernel signatures are by, if --keyring holds it.

The policy of the machine, /etc/tbpf/policy.toml, and its revocation lists,
/etc/tbpf/revoked.d, always hold; --policy and --revocations may only ask for
more. They and the machine's keyring must be files that root alone can have
written. Where there is a policy, its kernel-verify counts, and
--kernel-verify may only ask for more.

What --set may set, the signer declared, within limits that the loader program
in the kernel holds every value against (tbpf inspect shows them). What a
program wants to know of the kernel (extern ... __kconfig) is read from the
kernel's configuration and version; --set counts for more.`,
		Example: `  tbpf load guard.bpf.tbpf --keyring release.crt --pin /sys/fs/bpf/tbpf
  tbpf load count.bpf.tbpf --keyring release.crt --attach count=eth0
  tbpf load slow.bpf.tbpf --keyring release.crt --set target_pid=4711 --set events.max_entries=65536`,
		GroupID: groupLoad,
		Args:    someFiles,
		RunE:    a.run(l.run),
	}
	l.trust.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&l.options.BPFFS, "bpffs", "", "load with the token of the delegated bpffs at `DIR`, and no other privilege")
	f.StringVar(&l.kernelKeyring, "kernel-keyring", "", "`RING` that the kernel checks against: builtin, secondary, platform, bpf, or a serial number")
	f.StringVar(&l.kernelVerify, "kernel-verify", required, "`WHEN` the kernel must check signatures: required, if-available")
	f.StringVar(&l.options.Pin, "pin", "", "pin each object in a directory of its name beneath `DIR` in a bpffs")
	f.StringArrayVar(&l.attach, "attach", nil, "attach `PROGRAM=TARGET`: an interface (eth0, eth0:egress), a cgroup, a network namespace, a function (vfs_read, /bin/bash:readline), a tracepoint; repeatable")
	f.StringArrayVar(&l.set, "set", nil, "set `VAR=VALUE`, if the signer declared VAR as tunable; repeatable")
	fixed(cmd, "kernel-verify", required, ifAvailable)
	fixed(cmd, "kernel-keyring", "builtin", "secondary", "platform", "bpf")
	return cmd
}

// Values of --kernel-verify.
const (
	required    = "required"
	ifAvailable = "if-available"
)

// verified is one file on its way into the kernel.
type verified struct {
	path   string
	object *verify.Verified
	loaded *loader.Loaded
	err    error
}

func (l *load) run(cmd *cobra.Command, paths []string) (report.Document, error) {
	if err := l.check(cmd, paths); err != nil {
		return nil, err
	}
	opt, err := l.verifyOptions(cmd)
	if err == nil {
		opt, err = l.trust.withRevocations(opt)
	}
	files := make([]*verified, len(paths))
	for i, path := range paths {
		files[i] = &verified{path: path, err: err}
		if err == nil {
			files[i].object, files[i].err = l.trust.verify(path, opt)
		}
	}
	if err := failures(files, err); err != nil {
		return l.document(files), err
	}
	if err := l.oneName(files); err != nil {
		return l.document(files), err
	}

	// From here on a signal waits until everything is in its place or gone.
	l.app.busy.Lock()
	defer l.app.busy.Unlock()
	l.options.Trusted = opt.Keyring
	for _, f := range files {
		if l.app.ctx.Err() != nil {
			break // a signal: what is loaded goes
		}
		if f.loaded, f.err = loader.Load(f.object, l.options); f.err != nil {
			f.err = forFile(f.path, f.err)
			break
		}
	}
	if failures(files, nil) != nil || l.app.ctx.Err() != nil {
		return l.document(files), errors.Join(failures(files, nil), l.takeDown(files))
	}
	doc := l.document(files)
	if l.options.Pin != "" {
		l.notices(files)
		return doc, l.release(files)
	}
	if err := l.app.print(doc, 0); err != nil {
		return nil, errors.Join(err, l.release(files))
	}
	l.notices(files)
	if !l.app.json {
		l.app.notice("loaded until a signal comes; --pin leaves it loaded")
	}
	<-l.app.ctx.Done()
	return nil, l.release(files)
}

// notices prints what the document has under that name.
func (l *load) notices(files []*verified) {
	for _, f := range files {
		l.app.notices(f.path, f.object.Notices())
		l.app.notices(f.path, f.loaded.Notices())
	}
}

// failures joins what went wrong, in the order of the files; what concerns all
// of them is there once.
func failures(files []*verified, all error) error {
	if all != nil {
		return all
	}
	var errs []error
	for _, f := range files {
		errs = append(errs, f.err)
	}
	return errors.Join(errs...)
}

// document says what became of each file. One that was verified and is not
// loaded, because another was refused, has the verdict verified.
func (l *load) document(files []*verified) *report.Load {
	doc := report.NewLoad()
	whole := failures(files, nil) == nil
	for _, f := range files {
		good := report.Verified
		var in *loader.Report
		if whole && f.loaded != nil {
			r := f.loaded.Report()
			good, in = report.Loaded, &r
		}
		var notices []string
		if f.object != nil {
			notices = f.object.Notices()
		}
		if in != nil {
			notices = append(notices, f.loaded.Notices()...)
		}
		doc.Add(f.path, in, notices, f.err, outcome(f.err, good))
	}
	return doc
}

// release gives up this process's hold: what is not pinned goes.
func (l *load) release(files []*verified) error {
	var errs []error
	for _, f := range files {
		if f.loaded != nil {
			errs = append(errs, forFile(f.path, f.loaded.Close()))
		}
	}
	return errors.Join(errs...)
}

// takeDown removes what was loaded before another file was refused.
func (l *load) takeDown(files []*verified) error {
	errs := []error{l.release(files)}
	for _, f := range files {
		if f.loaded != nil && l.options.Pin != "" {
			errs = append(errs, forFile(f.path, loader.Unload(l.options.Pin, f.loaded.Report().Name)))
		}
	}
	return errors.Join(errs...)
}

func (l *load) check(cmd *cobra.Command, files []string) error {
	if err := l.trust.check(cmd, files); err != nil {
		return err
	}
	if l.kernelKeyring != "" {
		ring, err := keyring.Parse(l.kernelKeyring)
		if err != nil {
			return usage("builtin, secondary, platform, bpf, or the serial number of a keyring", "--kernel-keyring: %w", err)
		}
		l.options.Keyring = ring
	}
	switch l.kernelVerify {
	case required:
		l.options.KernelVerify = loader.Required
	case ifAvailable:
		l.options.KernelVerify = loader.IfAvailable
	default:
		return usage("required or if-available", "--kernel-verify is %q", l.kernelVerify)
	}
	err := ofOneFile("load", files, given{"--attach", len(l.attach)}, given{"--set", len(l.set)})
	if err != nil {
		return err
	}
	if l.options.Attach, err = assignments("--attach", "PROGRAM=TARGET", "--attach count=eth0", l.attach, false); err != nil {
		return err
	}
	l.options.Set, err = assignments("--set", "VAR=VALUE", "--set limit=100", l.set, true)
	return err
}

// verifyOptions reads keyring and policies.
func (l *load) verifyOptions(cmd *cobra.Command) (verify.Options, error) {
	opt, err := l.trust.options()
	if err != nil {
		return opt, err
	}
	machine, err := readMachinePolicy()
	switch {
	case err == nil:
		if opt.Policy != nil {
			machine = machine.Tightened(opt.Policy)
		}
		opt.Policy = machine
	case !isMissing(err):
		return opt, err
	}
	if opt.Policy == nil {
		return opt, nil // no policy speaks: --kernel-verify alone does
	}
	asked := cmd.Flags().Changed("kernel-verify")
	switch {
	case opt.Policy.KernelVerify == policy.KernelRequired && l.options.KernelVerify == loader.IfAvailable:
		return opt, &policyError{"kernel-verify-required", "the policy requires that the kernel checks signatures, so --kernel-verify " + ifAvailable + " is refused"}
	case opt.Policy.KernelVerify == policy.KernelIfAvailable && !asked:
		l.options.KernelVerify = loader.IfAvailable
	}
	if opt.Policy.Token == policy.TokenRequired && l.options.BPFFS == "" {
		return opt, &policyError{"token-required", "the policy requires a BPF token, so objects are loaded with --bpffs or by tbpf-loader"}
	}
	if opt.Policy.Floor == policy.FloorRequired {
		return opt, &policyError{"rollback-required", "the policy requires that no version older than one that was loaded is used, which tbpf-loader keeps account of: load with it"}
	}
	return opt, l.policyKeyring(opt.Policy.KernelKeyring)
}

// oneName refuses two objects of one name: their pins would have one place.
func (l *load) oneName(files []*verified) error {
	seen := make(map[string]string)
	for _, f := range files {
		name, err := loader.PinName(f.object.Manifest().Name)
		if err != nil || l.options.Pin == "" {
			continue // to load it says what is wrong
		}
		if other, twice := seen[name]; twice {
			f.err = forFile(f.path, &namesakeError{f.object.Manifest().Name, other})
			return f.err
		}
		seen[name] = f.path
	}
	return nil
}

// namesakeError says that two files of one command hold objects of one name.
type namesakeError struct{ name, other string }

func (e *namesakeError) Error() string {
	return "its object is named " + report.Name(e.name) + ", as that of " + report.Name(e.other) + " is, and they cannot be pinned in one place"
}

// policyKeyring makes the kernel check against the keyring that the policy
// names.
func (l *load) policyKeyring(name string) error {
	if name == "" {
		return nil
	}
	if l.kernelKeyring != "" && l.kernelKeyring != name {
		return &policyError{"kernel-keyring", "the policy has the kernel check against its keyring " + name + ", so --kernel-keyring " + l.kernelKeyring + " is refused"}
	}
	ring, err := keyring.Parse(name)
	if err != nil {
		return &policyError{"kernel-keyring", "the policies name different kernel keyrings"}
	}
	l.options.Keyring = ring
	return nil
}
