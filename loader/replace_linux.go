package loader

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// predecessor is the object that another one takes the place of: those of its
// links that go on with another program, and the maps that go on with what is in
// them. LSM and tracing links cannot; there
// the new object attaches beside the old one before that goes.
type predecessor struct {
	links []*inherited
	maps  []*kept
}

// inherited is one link that gets another program.
type inherited struct {
	program  string
	link     *bpfsys.FD
	previous *bpfsys.FD // what it ran
	updated  bool
	given    bool // the link belongs to the new object
}

// predecessor finds the links of the object in the stage's place that are
// attached where the new object is to be attached, and can be updated.
func (s *stage) predecessor(m *manifest.Manifest, in inputs) (*predecessor, error) {
	old := &predecessor{}
	if s.old == nil {
		return old, nil
	}
	var err error
	if old.maps, err = s.keepMaps(m); err != nil {
		return nil, err
	}
	for i := range m.Programs {
		p := &m.Programs[i]
		if in[p.Name] == nil {
			continue
		}
		file, err := pinName(p.Name)
		if err != nil {
			return nil, errors.Join(failure("pin", p.Name, "pin-name", err), old.close())
		}
		one, err := inherit(p, in[p.Name], filepath.Join(s.dir, s.name, linksDir, file))
		if err != nil {
			return nil, errors.Join(failure("replace link", p.Name, "replace-failed", err), old.close())
		}
		if one != nil {
			old.links = append(old.links, one)
		}
	}
	return old, nil
}

// inherit opens a pinned link if the program can take it over.
func inherit(p *manifest.Program, in *input, path string) (one *inherited, err error) {
	link, err := bpfsys.GetPinned(path)
	if errnoOf(err) == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if one == nil {
			err = errors.Join(err, link.Close())
		}
	}()
	info, err := bpfsys.GetLinkInfo(link)
	if err != nil || !sameTarget(p, in, &info) {
		return nil, err
	}
	previous, err := bpfsys.OpenProgram(info.ProgramID)
	if err != nil {
		return nil, err
	}
	prog, err := bpfsys.GetProgramInfo(previous)
	if err != nil || prog.Type.String() != p.Type {
		return nil, errors.Join(err, previous.Close())
	}
	return &inherited{program: p.Name, link: link, previous: previous}, nil
}

// sameTarget reports whether a link is attached where a program is to be, and
// is of a type that can be updated.
func sameTarget(p *manifest.Program, in *input, info *bpfsys.LinkInfo) bool {
	attachType := p.AttachType
	if in.attachType != 0 {
		attachType = in.attachType.String()
	}
	if info.Type != linkType(p, attachType) {
		return false
	}
	switch info.Type {
	case bpfabi.LinkXDP:
		return info.Ifindex == in.ifindex
	case bpfabi.LinkTCX, bpfabi.LinkNetkit:
		return info.Ifindex == in.ifindex && info.AttachType.String() == attachType
	case bpfabi.LinkCgroup:
		return info.CgroupID == in.inode && info.AttachType.String() == attachType
	case bpfabi.LinkNetNS:
		return uint64(info.NetnsInode) == in.inode && info.AttachType.String() == attachType
	default:
		return false
	}
}

// without returns the inputs that the loader program gets: those of inherited
// links are kept from it, so that it loads their programs and attaches nothing.
func (old *predecessor) without(in inputs) inputs {
	if old == nil || len(old.links) == 0 {
		return in
	}
	rest := maps.Clone(in)
	for _, one := range old.links {
		delete(rest, one.program)
	}
	return rest
}

// handOver gives the inherited links the new programs, and makes sure that they
// are what the new object's links have to be.
func (old *predecessor) handOver(l *Loaded, m *manifest.Manifest, in inputs) error {
	targets := &targetTypes{hidden: l.report.Token}
	for i := range m.Programs {
		p := &m.Programs[i]
		one := old.find(p.Name)
		if one == nil {
			continue
		}
		prog := l.programs[p.Name]
		if prog == nil {
			return mismatch("program", p.Name, "it is missing")
		}
		if err := bpfsys.UpdateLink(one.link, prog, one.previous); err != nil {
			e := failure("replace link", p.Name, "replace-failed", err)
			e.Hint = "unload the object that is there first"
			return e
		}
		one.updated = true
		info, err := bpfsys.GetProgramInfo(prog)
		if err != nil {
			return failure("check program", p.Name, "check-failed", err)
		}
		report, err := checkLink(p, one.link, info, in[p.Name], targets)
		if err != nil {
			return err
		}
		l.links[p.Name], one.given = one.link, true
		l.report.Links = append(l.report.Links, report)
		for j := range l.report.Programs {
			if r := &l.report.Programs[j]; r.Name == p.Name {
				r.Attached, r.Target = byKernel, report.Target
			}
		}
	}
	return nil
}

func (old *predecessor) find(program string) *inherited {
	for _, one := range old.links {
		if one.program == program {
			return one
		}
	}
	return nil
}

// takeBack gives inherited links the programs that they had, where the new
// object failed after they were handed over.
func (old *predecessor) takeBack() error {
	var errs []error
	for _, one := range old.links {
		if !one.updated {
			continue
		}
		one.updated = false
		info, err := bpfsys.GetLinkInfo(one.link)
		if err == nil {
			var now *bpfsys.FD
			if now, err = bpfsys.OpenProgram(info.ProgramID); err == nil {
				err = errors.Join(bpfsys.UpdateLink(one.link, one.previous, now), now.Close())
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("give link of %q its program back: %w", one.program, err))
		}
	}
	return errors.Join(errs...)
}

// close gives up what the new object did not take over.
func (old *predecessor) close() error {
	var errs []error
	for _, one := range old.links {
		errs = append(errs, one.previous.Close())
		if !one.given {
			errs = append(errs, one.link.Close())
		}
	}
	for _, one := range old.maps {
		if !one.given {
			errs = append(errs, one.fd.Close())
		}
	}
	return errors.Join(errs...)
}
