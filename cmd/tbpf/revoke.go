package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/internal/wholefile"
	"github.com/trustedbpf/tbpf/keys/signer"
)

// defaultListLife is how long a list is in date unless told otherwise.
const defaultListLife = 90 * 24 * time.Hour

// revoke is one run of `tbpf revoke`.
type revoke struct {
	app         *app
	key         string
	keyrings    []string
	list        string
	entries     revocation.Entries
	name        string
	below       uint64
	floor       uint64
	withdraw    bool
	countersign bool
	validFor    validity
	passwords   passwords
}

func newRevoke(a *app) *cobra.Command {
	r := &revoke{app: a, passwords: passwords{app: a}}
	cmd := &cobra.Command{
		Use:   "revoke LIST --key REF [--key-id ID]... [--digest D]... [--name N [--below V] [--floor V]] [--withdraw] [--countersign] [--list NAME] [--valid-for DURATION] [--keyring PATH]...",
		Short: "Keep a signed list of what must not be loaded any more",
		Long: `Revoke adds to the revocation list in the file LIST, or begins one: keys whose
signatures count for nothing any more, objects by their digest, and the least
version of a name. Without an entry it renews the list. Every new list has the
next serial number; machines take no older one, and policy may insist on one that
is in date.

--floor is for a way back: machines that loaded a higher version take this one
again, as long as the list is in date.

A list that is there already must be signed by the same key, or by one of
--keyring. With --countersign nothing in it changes and one signature is added:
a list needs as many as objects do.`,
		Example: `  tbpf revoke fleet.revoked --key security.key --key-id $(tbpf verify old.tbpf --json | jq -r '.results[0].signers[0].keyId')
  tbpf revoke fleet.revoked --key security.key --name guard --below 7
  install -m 0644 fleet.revoked /etc/tbpf/revoked.d/`,
		GroupID: groupSign,
		Args:    oneFile,
		RunE:    a.run(r.run),
	}
	f := cmd.Flags()
	f.StringVar(&r.key, "key", "", "private key `REF`: a file, env://VARIABLE, or PLUGIN://KEY")
	f.StringArrayVar(&r.entries.Keys, "key-id", nil, "revoke the key with this `ID`; repeatable")
	f.StringArrayVar(&r.entries.Digests, "digest", nil, "revoke the object, or the manifest, with this SHA-256 `D`; repeatable")
	f.StringVar(&r.name, "name", "", "`N` of the objects that --below and --floor are about")
	f.Uint64Var(&r.below, "below", 0, "revoke versions lower than `V`")
	f.Uint64Var(&r.floor, "floor", 0, "take versions from `V` on, although a higher one was loaded")
	f.BoolVar(&r.withdraw, "withdraw", false, "take the entries that are named off the list")
	f.BoolVar(&r.countersign, "countersign", false, "add a signature to the list as it is")
	f.StringVar(&r.list, "list", "", "`NAME` of a new list (default: the file's name without its extension)")
	f.Var(&r.validFor, "valid-for", "how long the list is in date: 90d, 1y, 36h (default 90d)")
	f.StringArrayVar(&r.keyrings, "keyring", nil, "trust the keys in `PATH` to have signed the list that is there; repeatable")
	f.StringVar(&r.passwords.file, "password-file", "", "read the password of the key from `FILE`")
	return cmd
}

func (r *revoke) run(cmd *cobra.Command, args []string) (report.Document, error) {
	if err := r.check(cmd, args[0]); err != nil {
		return nil, err
	}
	doc := &report.Revoke{Head: report.NewHead("revoke"), Path: report.Name(args[0]), Outcome: outcome(nil, report.Done)}
	f, err := r.make(args[0])
	if err == nil {
		err = doc.Describe(f)
	}
	if err != nil {
		return &report.Revoke{Head: report.NewHead("revoke"), Path: report.Name(args[0]), Outcome: outcome(err, report.Done)}, err
	}
	return doc, nil
}

func (r *revoke) check(cmd *cobra.Command, path string) error {
	given := cmd.Flags().Changed
	about := r.below != 0 || r.floor != 0
	switch {
	case path == "-":
		return usage("", "a list is a file: it is read and replaced")
	case r.key == "":
		return usage("`tbpf keygen --name security` makes a key", "revoke needs --key")
	case about && r.name == "", given("name") && !about && !r.withdraw:
		return usage("tbpf revoke LIST --key REF --name guard --below 7", "--name goes with --below or --floor")
	case r.withdraw && about:
		return usage("", "--withdraw --name takes everything that is said of a name off the list, without --below and --floor")
	case r.countersign && (len(r.entries.Keys)+len(r.entries.Digests) > 0 || given("name") || r.withdraw || given("valid-for") || given("list")):
		return usage(seeHelp(cmd), "--countersign changes nothing in the list")
	}
	if given("name") {
		if err := manifest.CheckName(r.name); err != nil {
			return usage("", "--name: %w", err)
		}
		r.entries.Names = []revocation.Version{{Name: r.name, Below: r.below, Floor: r.floor}}
	}
	for i, d := range r.entries.Digests {
		r.entries.Digests[i] = strings.TrimPrefix(d, "sha256:")
	}
	if err := r.entries.Check(); err != nil {
		return &usageError{err: err, hint: "`tbpf verify --json` and `tbpf inspect` print key ids and digests"}
	}
	if r.list == "" {
		r.list = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	return nil
}

// make changes the list and puts it in its place.
func (r *revoke) make(path string) (*revocation.File, error) {
	if err := signer.ForbidCoreDumps(); err != nil {
		return nil, err
	}
	old, err := r.read(path)
	if err != nil {
		return nil, err
	}
	key, err := signer.Open(r.key, signer.Options{Password: r.passwords.get})
	if err != nil {
		return nil, err
	}
	defer key.Close()
	defer r.passwords.wipe()
	if old != nil {
		if err := r.authentic(old, key); err != nil {
			return nil, forFile(path, err)
		}
	}
	next, err := r.next(old, key)
	if err != nil {
		return nil, forFile(path, err)
	}
	data, err := next.Marshal()
	if err != nil {
		return nil, err
	}
	r.app.busy.Lock()
	defer r.app.busy.Unlock()
	return next, forFile(path, wholefile.Write(path, data, 0o644, old != nil))
}

// read returns the list that is there, or nil.
func (r *revoke) read(path string) (*revocation.File, error) {
	data, err := r.app.readInput(path, revocation.MaxSize)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !r.countersign && !r.withdraw:
		return nil, nil
	case err != nil:
		return nil, err
	}
	f, err := revocation.Parse(data)
	return f, forFile(path, err)
}

// next is the list that follows, signed.
func (r *revoke) next(old *revocation.File, key *signer.Signer) (*revocation.File, error) {
	if r.countersign {
		return old, old.Add(key.ID(), key.Sign)
	}
	now, err := sourceDate(r.app.now())
	if err != nil {
		return nil, err
	}
	list := &revocation.List{Name: r.list}
	if old != nil {
		if list, err = old.Decode(); err != nil {
			return nil, err
		}
	}
	life := r.validFor.Duration
	if life == 0 {
		life = defaultListLife
	}
	if err := list.Follow(r.entries, r.withdraw, now, life); err != nil {
		return nil, err
	}
	if list.RevokesKey(key.ID()) {
		return nil, withHint(errors.New("the list would revoke the key that signs it"), "sign it with another --key: a list that is signed by a revoked key is refused")
	}
	return list.Sign(key.ID(), key.Sign)
}
