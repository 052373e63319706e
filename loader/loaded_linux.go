package loader

import (
	"encoding/hex"
	"errors"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// newLoaded takes over what came back.
func newLoaded(r *run, made *loaded) *Loaded {
	l := &Loaded{
		wider:    r.wider,
		keyring:  r.settings.KeyringID,
		programs: make(map[string]*bpfsys.FD), maps: make(map[string]*bpfsys.FD), links: make(map[string]*bpfsys.FD),
		report: Report{
			Name: r.manifest.Name, Version: r.manifest.Version, Digest: r.src.digest,
			Profile: made.profile, KernelVerified: made.verified, Token: r.hasToken(),
			Programs: []ProgramReport{}, Maps: []MapReport{}, Links: []LinkReport{}, Pins: []string{},
		},
	}
	take := func(slot int) *bpfsys.FD {
		fd := made.FDs[slot]
		delete(made.FDs, slot)
		return fd
	}
	for i := range r.manifest.Tunables {
		t := &r.manifest.Tunables[i]
		value, set := r.opt.Set[t.Name]
		if !set {
			value = *t.Default // TunableValues refuses what has neither
		}
		l.report.Tunables = append(l.report.Tunables, TunableReport{Name: t.Name, Value: value, Set: set, Source: t.Source})
	}
	for i := range r.manifest.Maps {
		m := &r.manifest.Maps[i]
		l.maps[m.Name] = take(m.Slot)
		if m.StructOps != nil {
			l.links[structOpsLink(m.Name)] = take(m.StructOps.Link)
		}
	}
	for i := range r.manifest.Programs {
		p := &r.manifest.Programs[i]
		l.programs[p.Name] = take(p.Slot)
		if p.Attach.By == byKernel {
			l.links[p.Name] = take(p.Attach.Link)
		}
	}
	return l
}

// Loaded is an object in the kernel. Its descriptors are this process's until
// Close.
type Loaded struct {
	report   Report
	programs map[string]*bpfsys.FD // nil: skipped
	maps     map[string]*bpfsys.FD
	links    map[string]*bpfsys.FD // nil: not attached
	wider    string                // what the token allows beyond the manifest
	keyring  int32                 // that the kernel asked
}

// KeyringID is the keyring that the kernel checked the signature against, as
// keyring.Reference has it. It means nothing if the kernel did not check.
func (l *Loaded) KeyringID() int32 { return l.keyring }

// Report says what is in the kernel.
func (l *Loaded) Report() Report { return l.report }

// Notices says what a person should know although it is loaded.
func (l *Loaded) Notices() []string {
	if l.wider == "" {
		return nil
	}
	return []string{"the bpffs delegates more than the manifest lists: " + l.wider}
}

// Map returns a map, nil if there is none. It belongs to l.
func (l *Loaded) Map(name string) *bpfsys.FD { return l.maps[name] }

// MapFD returns the descriptor of a map, -1 if there is none. It belongs to l.
func (l *Loaded) MapFD(name string) int { return l.maps[name].Int() }

// ProgramFD returns the descriptor of a program, -1 if there is none or it was
// skipped. It belongs to l.
func (l *Loaded) ProgramFD(name string) int { return l.programs[name].Int() }

// Close gives up this process's hold on the object: what is not pinned is
// detached and unloaded, what is pinned stays.
func (l *Loaded) Close() error {
	var errs []error
	for _, set := range []map[string]*bpfsys.FD{l.links, l.programs, l.maps} { // nothing runs while the rest goes
		for _, fd := range set {
			errs = append(errs, fd.Close())
		}
	}
	return errors.Join(errs...)
}

func tagText(tag [8]byte) string { return hex.EncodeToString(tag[:]) }
