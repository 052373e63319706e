package main

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/verify"
)

// maxPolicy bounds a policy file.
const maxPolicy = 1 << 20

// trust is what verify and load go by: the flags, and what they lead to.
type trust struct {
	app       *app
	keyrings  []string
	revoked   []string
	policy    string
	seal      string
	threshold int
	keyless   keyless
	loads     bool // the machine's own keyring is read as tbpf-loader reads it
}

func (t *trust) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.seal, "seal", "", "the seal is in `FILE`, as sign --detach wrote it")
	t.ruleFlags(cmd)
}

// ruleFlags are those that say whom to trust and what is allowed.
func (t *trust) ruleFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&t.keyrings, "keyring", nil, "trust the keys in `PATH`, a file or a directory, and no others; repeatable\n(default /etc/tbpf/keyring.d over /usr/lib/tbpf/keyring.d)")
	f.StringVar(&t.policy, "policy", "", "hold what is signed against the policy in `FILE`")
	f.StringArrayVar(&t.revoked, "revocations", nil, "use nothing that the revocation list in `FILE` names; repeatable")
	f.IntVar(&t.threshold, "threshold", 1, "`N` different keys must have signed, if the policy does not ask for more")
}

// check refuses flags that mean nothing.
func (t *trust) check(cmd *cobra.Command, files []string) error {
	if cmd.Flags().Changed("threshold") {
		if t.threshold < 1 {
			return usage("", "--threshold is %d: at least one key must have signed", t.threshold)
		}
		if t.threshold > seal.MaxSignatures {
			return usage("", "--threshold is %d: a file has at most %d signatures", t.threshold, seal.MaxSignatures)
		}
	}
	if t.seal != "" && len(files) > 1 {
		return usage("verify one file at a time", "--seal belongs to one file, not to %d", len(files))
	}
	if slices.Contains(t.keyrings, "") {
		return usage("", "--keyring is empty")
	}
	if slices.Contains(t.revoked, "") {
		return usage("", "--revocations is empty")
	}
	if err := t.keyless.check(files); err != nil {
		return err
	}
	return notTwice("--seal", t.seal, files)
}

// options reads keyring and policy. Revocation lists are read once everything
// that decides about them is known.
func (t *trust) options() (verify.Options, error) {
	ring, err := t.keyring()
	if err != nil {
		return verify.Options{}, err
	}
	opt := verify.Options{Keyring: ring, Threshold: t.threshold, Now: t.app.now(), Checker: mldsa.Checker()}
	if t.policy != "" {
		if opt.Policy, err = t.app.readPolicy(t.policy); err != nil {
			return verify.Options{}, err
		}
	}
	return opt, nil
}

// withRevocations reads the lists that were named, and with load those that the
// machine has.
func (t *trust) withRevocations(opt verify.Options) (verify.Options, error) {
	var files []verify.RevocationFile
	if t.loads {
		var err error
		if files, err = readMachineRevocations(); err != nil {
			return opt, err
		}
	}
	for _, path := range t.revoked {
		data, err := t.app.readInput(path, revocation.MaxSize)
		if err != nil {
			return opt, err
		}
		files = append(files, verify.RevocationFile{Path: report.Name(path), Data: data})
	}
	opt.Revocations = verify.ReadRevocations(files, opt)
	return opt, nil
}

func (a *app) readPolicy(path string) (*policy.Policy, error) {
	data, err := a.readInput(path, maxPolicy)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(data)
	return p, forFile(path, err)
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (t *trust) keyring() (*keys.Keyring, error) {
	if len(t.keyrings) > 0 {
		return keys.LoadKeyring(t.keyrings)
	}
	if t.loads {
		return readMachineKeyring()
	}
	return keys.LoadSystemKeyring(keys.SystemDirs()...)
}

// noKeys is what to do about a keyring that has no keys at all.
func (t *trust) noKeys() string {
	if len(t.keyrings) > 0 {
		return strings.Join(reportNames(t.keyrings), " and ") + " has no keys: of a directory the files are read that end in .pem, .crt, .cer or .pub"
	}
	return "the machine's keyring, " + strings.Join(keys.SystemDirs(), " and ") + ", has no keys: name the signer's with --keyring, if you trust it"
}

func reportNames(paths []string) []string {
	var names []string
	for _, path := range paths {
		names = append(names, report.Name(path))
	}
	return names
}

// verify verifies one file, which is read once.
func (t *trust) verify(path string, opt verify.Options) (*verify.Verified, error) {
	in, err := t.app.readSealed(path, t.seal)
	if err != nil {
		return nil, err
	}
	file, detached := in.file, in.detached
	opt.Seal, opt.Beginning = detached, in.beginning
	if opt.Identities, err = t.keyless.identities(t.app.ctx, file, detached, opt); err != nil {
		return nil, forFile(path, err)
	}
	v, err := verify.Bytes(file, opt)
	if isRefused(err, verify.NoTrustedSigner) && len(opt.Keyring.Keys()) == 0 {
		err = withHint(err, t.noKeys())
	}
	if opt.Now.After(t.app.now()) && isRefused(err, verify.CertificateExpired, verify.ObjectExpired) {
		err = withHint(err, "the time is that of the rollback floor, "+opt.Now.Format(time.RFC3339)+": this machine's clock is behind it")
	}
	return v, forFile(path, detachedError(t.seal, file, detached, err))
}

func isRefused(err error, reasons ...verify.Reason) bool {
	var refused *verify.Error
	return errors.As(err, &refused) && slices.Contains(reasons, refused.Reason)
}

// detachedError names the detached seal where it, and not the object, is what
// cannot be read.
func detachedError(path string, object, detached []byte, err error) error {
	if detached == nil || !isRefused(err, verify.NoSeal, verify.MalformedSeal) || seal.CheckObject(object) != nil {
		return err
	}
	return forFile(path, withHint(err, "--seal takes a whole seal, as `tbpf sign --detach` wrote it"))
}
