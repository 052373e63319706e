package main

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/internal/wholefile"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign"
)

// signing is one run of `tbpf sign`.
type signing struct {
	app       *app
	key, cert string
	kernelKey string
	kernelCrt string
	chain     string
	out       output
	detach    bool
	name      string
	version   uint64
	notAfter  string
	annotate  []string
	profiles  []string
	targets   []string
	tunables  []string
	keep      []string
	modes     []string
	without   []string
	kernels   []string // BTF files
	passwords passwords
	options   sign.Options
	// the two steps
	prepareDir, completeDir string
}

func newSign(a *app) *cobra.Command {
	s := &signing{app: a, out: output{app: a}, passwords: passwords{app: a}}
	cmd := &cobra.Command{
		Use:   "sign FILE... --key REF --cert FILE [-o OUT] [--detach] [--name N] [--version V] [--not-after T] [--annotation K=V]... [--target PROGRAM=TARGET]... [--tunable VAR[=ALLOWED]]... [--keep MAP]... [--map-mode MAP=MODE]... [--without PROGRAM]... [--kernel-btf FILE]... [--profile LIST] [--kernel-key REF --kernel-cert FILE] [--chain FILE] [--kernel-chain] | FILE --cert FILE --prepare DIR | --complete DIR",
		Short: "Sign BPF objects",
		Long: `Sign makes a sealed object of each BPF object: the object as it is, and behind it
a seal with the manifest, loader programs for every kernel, and the signatures.
guard.bpf.o becomes guard.bpf.tbpf. With --detach the seal goes to a file of its
own, guard.bpf.o.seal.

The version is for protection against rollback: a machine that loaded version 7
refuses 6 of the same name and signer. Machines that trust a CA need the
certificates between it and the signer's, which --chain embeds; with
--kernel-chain the kernel's signatures carry them as well, for kernel keyrings
that have only the CA. SOURCE_DATE_EPOCH, if set, is the time of
signing that the manifest states.

For keys that only another machine has, --prepare writes what has to be signed,
any tool signs it there, and --complete makes the sealed object and verifies it.

A program attaches to what its section names. --target names another target, or
one for a program whose section names none, as programs do whose own loader
chooses it when it runs: a kernel function, an LSM hook, a tracepoint, an
iterator; MODULE:FUNCTION for one in a module.

What a machine may set when it loads the object is declared with --tunable: a
variable of a data section or a member or element of one, or a map's size. It is
an integer within a range, an enumerator, a bool or a text. The value in the
object is the default; where that is not allowed, the machine has to choose. All
else that the object holds is as it was signed.

Where tbpf-loader replaces an object by a newer version, the maps that --keep
names, and those that the object declares with LIBBPF_PIN_BY_NAME, go on with
what is in them. They have to be the same: type, sizes, flags, and the types of
keys and values; otherwise the newer version is refused.

A program that --without names is not loaded: one whose section begins with ?,
say, which its own loader would not load unless asked. Without it, an optional
program is loaded where its target exists.`,
		Example: `  tbpf sign slow.bpf.o --key release.key --cert release.crt \
    --tunable target_pid --tunable threshold_us=1..10000000 --tunable 'events.max_entries=4096..1048576'
  tbpf sign guard.bpf.o --key release.key --cert release.crt --version 7
  tbpf sign counter.bpf.o --key release.key --cert release.crt --version 8 --keep counters
  tbpf sign *.bpf.o --key env://SIGNING_KEY --cert release.crt --annotation git=$(git rev-parse HEAD)`,
		GroupID: groupSign,
		Args:    s.filesOrComplete,
		RunE:    a.run(s.run),
	}
	f := cmd.Flags()
	f.StringVar(&s.key, "key", "", "private key `REF`: a file, env://VARIABLE, or PLUGIN://KEY")
	f.StringVar(&s.cert, "cert", "", "certificate of the key, in `FILE`")
	s.out.flags(cmd, "")
	f.BoolVar(&s.detach, "detach", false, "write the seal to its own file, FILE.seal")
	f.StringVar(&s.name, "name", "", "`NAME` that policies, rollback and pins use\n(default: the file's name without .bpf.o or .o)")
	f.Uint64Var(&s.version, "version", 0, "version `V` of the object; 0 is none")
	f.StringVar(&s.notAfter, "not-after", "", "last `TIME` to verify and load: 2030-12-31 or 2030-12-31T12:00:00Z")
	f.StringArrayVar(&s.annotate, "annotation", nil, "`KEY=VALUE` to state in the manifest; repeatable")
	f.StringArrayVar(&s.keep, "keep", nil, "newer versions take `MAP` over, with what is in it; repeatable")
	f.StringArrayVar(&s.modes, "map-mode", nil, "the map's pin has this mode and not 0600: `MAP=MODE`, 0644 say; repeatable")
	f.StringArrayVar(&s.without, "without", nil, "do not load `PROGRAM` of the object; repeatable")
	f.StringArrayVar(&s.targets, "target", nil, "attach a program to something else than its section says: `PROGRAM=TARGET`; repeatable")
	f.StringArrayVar(&s.tunables, "tunable", nil, "let machines set `VAR`: VAR, VAR=MIN..MAX, VAR=ONE|OTHER, MAP.max_entries=MIN..MAX; repeatable")
	f.StringArrayVar(&s.kernels, "kernel-btf", nil, "make struct_ops maps for the kernel whose types (/sys/kernel/btf/vmlinux) are in `FILE`; repeatable")
	f.StringSliceVar(&s.profiles, "profile", nil, "sign only for the kernel profiles in `LIST`: "+strings.Join(profileNames(), ","))
	f.StringVar(&s.kernelKey, "kernel-key", "", "make the kernel signatures with the key `REF`")
	f.StringVar(&s.kernelCrt, "kernel-cert", "", "certificate of the kernel key, in `FILE`")
	s.chainFlags(cmd)
	f.BoolVar(&s.options.KernelMLDSA, "kernel-ml-dsa", false, "experimental: make kernel signatures with an ML-DSA key, which only kernels with CONFIG_CRYPTO_MLDSA take")
	s.twoStepFlags(cmd)
	f.StringVar(&s.passwords.file, "password-file", "", "read the password of the keys from `FILE`")
	fixed(cmd, "profile", profileNames()...)
	return cmd
}

// source is one object on its way.
type source struct {
	path   string
	data   []byte
	err    error
	output output
}

func (s *signing) run(cmd *cobra.Command, files []string) (report.Document, error) {
	if s.completeDir != "" {
		return s.complete()
	}
	if err := s.check(cmd, files); err != nil {
		return nil, err
	}
	if s.prepareDir != "" {
		return s.prepare(cmd, files)
	}
	sources, err := s.read(files)
	if err != nil {
		return nil, err
	}
	closeKeys, keyErr := s.openKeys(sources)
	if isUsage(keyErr) {
		return nil, keyErr
	}
	defer closeKeys()

	doc := report.NewSign()
	var errs []error
	for _, src := range sources {
		var size int
		var m *manifest.Manifest
		err := src.err
		if err == nil && keyErr != nil {
			doc.Add(src.path, outcome(keyErr, report.Done), "", 0, s.detach, nil)
			continue // the key's error is printed once
		}
		if err == nil {
			size, m, err = s.sign(src)
		}
		errs = append(errs, err)
		doc.Add(src.path, outcome(err, report.Done), src.output.path, size, s.detach, m)
		if m != nil && m.KernelSigner == nil && err == nil {
			s.app.notice(report.Name(src.path) + ": not signed for the kernel, which takes no such key: --kernel-key names another")
		}
	}
	return doc, errors.Join(append(errs, keyErr)...)
}

// read reads every object and settles where its result goes, before a key is
// touched. A file that is sealed already is a usage error.
func (s *signing) read(files []string) ([]source, error) {
	sources := make([]source, 0, len(files))
	for _, path := range files {
		src := source{path: path, output: s.out}
		if src.output.path == "" {
			src.output.path = s.outputName(path)
		}
		if src.err = src.output.check(); src.err == nil {
			src.data, src.err = s.app.readInput(path, maxInput)
		}
		if isUsage(src.err) {
			return nil, src.err
		}
		if seal.Sealed(src.data) {
			return nil, usage("`tbpf strip` gives the object back", "%s is signed already", report.Name(path))
		}
		if src.err == nil {
			src.err = forFile(path, notAnObject(src.data))
		}
		if name, _ := s.names(path); src.err == nil {
			src.err = forFile(path, withHint(manifest.CheckName(name), "--name gives it another"))
		}
		sources = append(sources, src)
	}
	return sources, nil
}

// notAnObject refuses what is plainly no BPF object, before anybody is asked
// for a password.
func notAnObject(data []byte) error {
	switch {
	case len(data) == 0:
		return errors.New("is empty")
	case len(data) > seal.MaxObject:
		return &wholefile.TooLargeError{Limit: seal.MaxObject}
	case !strings.HasPrefix(string(data[:min(4, len(data))]), "\x7fELF"):
		return withHint(errors.New("is not an ELF file"), "sign takes the BPF object that clang or bpf2go wrote")
	}
	return nil
}

// names returns what the manifest calls an object and its file.
func (s *signing) names(path string) (name, file string) {
	if path == "-" {
		return s.name, s.name + ".o"
	}
	file = filepath.Base(path)
	if s.name != "" {
		return s.name, file
	}
	return strings.TrimSuffix(strings.TrimSuffix(file, ".o"), ".bpf"), file
}

func (s *signing) outputName(path string) string {
	switch {
	case path == "-":
		return "-"
	case s.detach:
		return path + ".seal"
	default:
		return strings.TrimSuffix(path, ".o") + ".tbpf"
	}
}

// sign makes and writes one sealed object or seal.
func (s *signing) sign(src source) (size int, m *manifest.Manifest, err error) {
	opt := s.options
	opt.Name, opt.ObjectName = s.names(src.path)
	made, m, err := sign.Object(src.data, opt)
	if err != nil {
		return 0, nil, forFile(src.path, err)
	}
	result, err := made.Encode()
	if err != nil {
		return 0, nil, forFile(src.path, err)
	}
	if !s.detach {
		result = seal.Join(src.data, result)
	}
	return len(result), m, src.output.write(result)
}

// openKeys opens keys and certificates, and checks that they belong together.
// If no object could be read, nobody is asked for a password.
func (s *signing) openKeys(sources []source) (closeKeys func(), err error) {
	closeKeys = func() {
		for _, key := range []*signer.Signer{s.options.Signer, s.options.KernelSigner} {
			if key != nil {
				key.Close()
			}
		}
		s.passwords.wipe()
	}
	readable := 0
	for _, src := range sources {
		if src.err == nil {
			readable++
		}
	}
	if readable == 0 {
		return closeKeys, nil
	}
	if err := signer.ForbidCoreDumps(); err != nil {
		return closeKeys, err
	}
	o := &s.options
	if err = s.readChain(); err != nil {
		return closeKeys, err
	}
	if o.Certificate, err = s.app.certificate(s.cert); err != nil {
		return closeKeys, err
	}
	if o.Signer, err = s.open(s.key, s.cert, o.Certificate); err != nil || s.kernelKey == "" {
		return closeKeys, err
	}
	if o.KernelCertificate, err = s.app.certificate(s.kernelCrt); err != nil {
		return closeKeys, err
	}
	o.KernelSigner, err = s.open(s.kernelKey, s.kernelCrt, o.KernelCertificate)
	return closeKeys, err
}

// check turns flags into options.
func (s *signing) check(cmd *cobra.Command, files []string) error {
	switch {
	case s.key == "" && s.prepareDir == "":
		return usage("`tbpf keygen --name release` makes a key and its certificate", "sign needs --key")
	case s.cert == "":
		return usage("`tbpf keygen --from KEY --name N` makes a certificate for a key that has none", "sign needs --cert")
	case (s.kernelKey == "") != (s.kernelCrt == "") && s.prepareDir == "":
		return usage(seeHelp(cmd), "--kernel-key and --kernel-cert go together")
	case s.options.KernelMLDSA && s.prepareDir != "":
		return usage("", "--kernel-ml-dsa and --prepare do not go together")
	case len(files) > 1 && s.out.path != "":
		return usage("without -o each file gets its own name", "-o names one file, and there are %d to sign", len(files))
	case len(files) > 1 && s.name != "":
		return usage("without --name each file gives its own name", "--name names one object, and there are %d to sign", len(files))
	}
	if lost := s.out.overwrites(s.key, s.cert, s.kernelKey, s.kernelCrt, s.passwords.file); lost != "" {
		return usage("choose another name with -o", "-o would replace %s", report.Name(lost))
	}
	if cmd.Flags().Changed("name") {
		if err := manifest.CheckName(s.name); err != nil {
			return usage("", "--name: %w", err)
		}
	}
	for _, path := range files {
		if path == "-" && s.name == "" {
			return usage("--name says what the object is called", "an object from standard input needs --name")
		}
	}
	o := &s.options
	o.Version = s.version
	var err error
	if o.Profiles, err = parseProfiles(s.profiles, cmd.Flags().Changed("profile")); err != nil {
		return err
	}
	if err := s.checkSkeleton(files); err != nil {
		return err
	}
	if o.Annotations, err = assignments("--annotation", "KEY=VALUE", "--annotation git=1a2b3c", s.annotate, true); err != nil {
		return err
	}
	if o.Created, err = sourceDate(time.Now()); err != nil {
		return err
	}
	if s.notAfter != "" {
		t, err := parseTime(s.notAfter)
		if err != nil {
			return err
		}
		if !t.After(o.Created) {
			return usage("", "--not-after %s is not after the time of signing, %s", s.notAfter, o.Created.Format(time.RFC3339))
		}
		o.NotAfter = &t
	}
	return nil
}

// checkSkeleton turns those flags into options that say what the loader programs
// do.
func (s *signing) checkSkeleton(files []string) (err error) {
	err = ofOneFile("sign", files, given{"--target", len(s.targets)}, given{"--tunable", len(s.tunables)},
		given{"--keep", len(s.keep)}, given{"--map-mode", len(s.modes)}, given{"--without", len(s.without)})
	if err != nil {
		return err
	}
	o := &s.options.Skeleton
	if o.Tunables, err = parseTunables(s.tunables); err != nil {
		return err
	}
	if o.Targets, err = assignments("--target", "PROGRAM=TARGET", "--target probe=do_sys_openat2", s.targets, false); err != nil {
		return err
	}
	if o.KernelTypes, err = s.app.readKernelTypes(s.kernels); err != nil {
		return err
	}
	o.Without = s.without
	if o.Keep, err = parseKeep(s.keep); err != nil {
		return err
	}
	o.Modes, err = parseModes(s.modes)
	return err
}

func isUsage(err error) bool {
	var usage *usageError
	return errors.As(err, &usage)
}
