//go:build linux

package trusted

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/buildinfo"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/internal/sorted"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// Words for the keyring that the kernel asked.
const (
	bootKeyring = "boot" // one for all objects of this boot
	ownKeyring  = "own"  // one that was made for the object, and went after the load
	noKeyring   = "none"
)

// newRecord begins the record of an object that was verified.
func (s *System) newRecord(e *bootset.Entry, v *verify.Verified, pinDir string) (*record.Object, error) {
	m := v.Manifest()
	dir, err := loader.PinName(m.Name)
	if err != nil {
		return nil, fail(codeFailed, "pin-name", err)
	}
	o := &record.Object{
		Name: m.Name, Version: m.Version, Object: v.Digest(), Manifest: v.ManifestDigest(),
		File: e.File, Pins: filepath.Join(pinDir, dir), Keyring: noKeyring,
		Boot: s.boot, Time: time.Now().UTC().Truncate(time.Second), Loader: buildinfo.Read().Version,
	}
	for _, signer := range v.Signers() {
		o.Signers = append(o.Signers, record.Signer{KeyID: signer.KeyID, Algorithm: signer.Algorithm.String(), Subject: signer.Subject})
	}
	o.Attach, o.Set = pairs(e.Attach), pairs(e.Set)
	return o, nil
}

// pairs are those of a table, sorted by name.
func pairs(table map[string]string) []record.Pair {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	sorted.Strings(names)
	var list []record.Pair
	for _, name := range names {
		list = append(list, record.Pair{Name: name, Value: table[name]})
	}
	return list
}

// fill adds what is in the kernel.
func fill(o *record.Object, r *loader.Report) error {
	o.Profile, o.KernelVerified, o.Token = r.Profile, r.KernelVerified, r.Token
	var errs []error
	pin := func(name string) string {
		file, err := loader.PinName(name)
		errs = append(errs, err)
		return file
	}
	for _, p := range r.Programs {
		if !p.Skipped {
			o.Programs = append(o.Programs, record.Program{ID: p.ID, Tag: p.Tag, LoadTime: p.LoadTime, Type: p.Type, Name: p.Name, Pin: pin(p.Name)})
		}
	}
	for _, m := range r.Maps {
		o.Maps = append(o.Maps, record.Map{ID: m.ID, Type: m.Type, Name: m.Name, Pin: pin(m.Name)})
	}
	for _, l := range r.Links {
		o.Links = append(o.Links, record.Link{ID: l.ID, ProgramID: l.ProgramID, Type: l.Type, Program: l.Program, Pin: pin(l.Program)})
	}
	return errors.Join(errs...)
}

// recorded returns the record of an object that is in place exactly as it would
// be loaded now, nil if it has to be loaded. inPlace says that something of its
// name is pinned there.
//
// The object was verified just now. A record that is missing, broken or does
// not fit the kernel only means that it is loaded again.
func (s *System) recorded(want *record.Object, v *verify.Verified, opt loader.Options) (have *record.Object, inPlace bool, err error) {
	kernel, inPlace, err := loader.StatusOf(opt.Pin, want.Name)
	if err != nil || !inPlace {
		return nil, inPlace, err
	}
	have, err = s.store.Read(want.Name)
	if _, malformed := errors.AsType[*record.Error](err); malformed {
		return nil, true, nil
	}
	if err != nil {
		return nil, true, fail(codeFailed, "record", err)
	}
	if have == nil || !sameObject(have, want) || !s.sameWay(have, v, opt) || !inKernel(have, &kernel) {
		return nil, true, nil
	}
	return have, true, nil
}

// ringName is what records call the keyring that the kernel asked.
func (s *System) ringName(id int32) (string, int32) {
	switch {
	case !s.kernel.IsZero():
		return s.kernel.String(), 0
	case !s.made.IsZero() && s.made.ID() == id:
		return bootKeyring, id
	default:
		return ownKeyring, id
	}
}

// sameObject reports whether the same was loaded, to the same place.
func sameObject(have, want *record.Object) bool {
	return have.Manifest == want.Manifest && have.Object == want.Object && have.Boot == want.Boot &&
		have.Pins == want.Pins && slices.Equal(have.Attach, want.Attach) && slices.Equal(have.Set, want.Set)
}

// sameWay reports whether it was loaded no less strictly than it would be now.
func (s *System) sameWay(have *record.Object, v *verify.Verified, opt loader.Options) bool {
	if opt.Isolate && !have.Token {
		return false
	}
	if !have.KernelVerified {
		return opt.KernelVerify == loader.IfAvailable
	}
	if !s.kernel.IsZero() {
		return have.Keyring == s.kernel.String()
	}
	if have.Keyring != bootKeyring && have.Keyring != ownKeyring {
		return false
	}
	cert := v.KernelCertificate()
	if cert == nil {
		return false
	}
	id, err := keys.IDOf(cert.PublicKey)
	return err == nil && (s.keyring.Find(id) != nil || v.KernelSignerIssued())
}

// inKernel reports whether everything that a record names is pinned, and
// nothing else, and is the same in the kernel; and whether each link is still
// attached to something.
func inKernel(o *record.Object, kernel *loader.Report) bool {
	if len(o.Programs) != len(kernel.Programs) || len(o.Maps) != len(kernel.Maps) || len(o.Links) != len(kernel.Links) {
		return false
	}
	for _, p := range o.Programs {
		if !slices.ContainsFunc(kernel.Programs, func(k loader.ProgramReport) bool {
			return k.Name == p.Pin && k.ID == p.ID && k.Tag == p.Tag && k.LoadTime == p.LoadTime && k.Type == p.Type
		}) {
			return false
		}
	}
	for _, m := range o.Maps {
		if !slices.ContainsFunc(kernel.Maps, func(k loader.MapReport) bool {
			return k.Name == m.Pin && k.ID == m.ID && k.Type == m.Type
		}) {
			return false
		}
	}
	for _, l := range o.Links {
		if !slices.ContainsFunc(kernel.Links, func(k loader.LinkReport) bool {
			return k.Program == l.Pin && k.ID == l.ID && k.ProgramID == l.ProgramID && k.Type == l.Type && !detached(k.Target)
		}) {
			return false
		}
	}
	return true
}

// detached reports whether a link's target is gone: the kernel then has 0 for
// its number.
func detached(target string) bool {
	for _, kind := range []string{"interface 0", "cgroup 0", "network namespace 0"} {
		if rest, ok := strings.CutPrefix(target, kind); ok && (rest == "" || rest[0] == ',') {
			return true
		}
	}
	return false
}
