package loader

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/sorted"
)

// pin pins everything beneath the stage and publishes it. Programs, maps and
// links keep the names that they have in the object, without dots.
func (l *Loaded) pin(s *stage, m *manifest.Manifest) error {
	if s.dir == "" {
		return nil
	}
	home := filepath.Join(s.dir, s.name)
	if err := s.enter(); err != nil {
		return pinError(home, err)
	}
	var pins []string
	for _, set := range []struct {
		dir string
		fds map[string]*bpfsys.FD
	}{{mapsDir, l.maps}, {programsDir, l.programs}, {linksDir, l.links}} {
		if err := unix.Mkdir(set.dir, 0o700); err != nil {
			return pinError(filepath.Join(home, set.dir), err)
		}
		for _, name := range sortedNames(set.fds) {
			file, err := pinName(name)
			if err != nil {
				return failure("pin", name, "pin-name", err)
			}
			path := filepath.Join(set.dir, file)
			err = bpfsys.Pin(set.fds[name], path)
			if err == nil {
				pins = append(pins, filepath.Join(home, path))
				continue
			}
			if errnoOf(err) == unix.EEXIST {
				err = fmt.Errorf("another one has the same name but for dots: %w", err)
			}
			return pinError(filepath.Join(home, path), err)
		}
	}
	if err := s.openToOthers(m); err != nil {
		return pinError(filepath.Join(home, mapsDir), err)
	}
	about := mark{name: l.report.Name, version: l.report.Version, digest: l.report.Digest,
		profile: l.report.Profile, kernelVerified: l.report.KernelVerified, token: l.report.Token}
	if err := unix.Symlink(about.String(), markName); err != nil {
		return pinError(filepath.Join(home, markName), err)
	}
	as := New
	if s.old != nil {
		as = Successor
	}
	if err := s.attempt.publish(as); err != nil {
		return pinError(home, err)
	}
	if err := s.publish(); err != nil {
		return pinError(home, err)
	}
	l.report.Pins = pins
	return nil
}

// openToOthers gives the pins of maps the modes that the manifest says. Who may
// open one has to get to it: the directories above can be passed through then,
// and not read.
func (s *stage) openToOthers(m *manifest.Manifest) error {
	const passable = 0o711
	open := false
	for i := range m.Maps {
		p := &m.Maps[i]
		if p.Mode == "" {
			continue
		}
		file, err := pinName(p.Name)
		if err != nil {
			return err
		}
		if err := unix.Chmod(filepath.Join(mapsDir, file), p.Permissions()); err != nil {
			return err
		}
		open = true
	}
	if !open {
		return nil
	}
	return errors.Join(unix.Chmod(mapsDir, passable), unix.Chmod(".", passable)) // the working directory is the stage
}

// sortedNames lists the names that have a descriptor.
func sortedNames(fds map[string]*bpfsys.FD) []string {
	names := make([]string, 0, len(fds))
	for name, fd := range fds {
		if fd != nil {
			names = append(names, name)
		}
	}
	sorted.Strings(names)
	return names
}
