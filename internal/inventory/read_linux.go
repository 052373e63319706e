package inventory

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/internal/trusted"
	"github.com/trustedbpf/tbpf/internal/trustpath"
	"github.com/trustedbpf/tbpf/loader"
)

// Read takes the inventory: objects that are pinned beneath dir, and wherever
// the trusted loader recorded one.
func Read(dir string) (*Machine, error) {
	m := &Machine{}
	boot, err := trustpath.ReadKernelFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("read which boot this is: %w", err)
	}
	records := m.records()
	dirs := []string{filepath.Clean(dir)}
	for _, r := range records {
		if d := filepath.Dir(r.Pins); !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	for _, d := range dirs {
		reports, err := loader.Status(d)
		if err != nil && d == dirs[0] {
			return nil, err
		}
		if err != nil {
			m.notice("%s, which a record names: %v", d, err)
		}
		for _, r := range reports {
			file, err := loader.PinName(r.Name)
			if err != nil {
				return nil, fmt.Errorf("object %q: %w", r.Name, err)
			}
			m.Objects = append(m.Objects, Object{Report: r, Directory: filepath.Join(d, file)})
		}
	}
	for _, r := range records {
		m.match(r, boot)
	}
	if err := m.list(); errors.Is(err, unix.EPERM) {
		m.Programs, m.Maps, m.Links = nil, nil, nil
		m.notice("the machine's other programs, maps and links are not listed: that needs CAP_SYS_ADMIN")
	} else if err != nil {
		return nil, fmt.Errorf("list what the kernel has: %w", err)
	} else {
		m.Complete = true
	}
	m.attribute()
	return m, nil
}

func (m *Machine) notice(format string, args ...any) {
	m.Notices = append(m.Notices, fmt.Sprintf(format, args...))
}

// records reads what the trusted loader wrote down. A record that cannot be read
// is told, and says nothing about any object.
func (m *Machine) records() []*record.Object {
	store, err := record.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it loaded nothing since the machine started
	}
	if err != nil {
		m.notice("the trusted loader's records cannot be read: %v", err)
		return nil
	}
	defer store.Close()
	names, err := store.Names()
	if err != nil {
		m.notice("the trusted loader's records cannot be read: %v", err)
		return nil
	}
	var list []*record.Object
	for _, name := range names {
		r, err := store.Read(name)
		if err != nil {
			m.notice("the record of %q cannot be read: %v", name, err)
		} else if r != nil {
			list = append(list, r)
		}
	}
	return list
}

// match gives a record to its object, if everything in it is so.
func (m *Machine) match(r *record.Object, boot string) {
	i := slices.IndexFunc(m.Objects, func(o Object) bool { return o.Directory == r.Pins && o.Name == r.Name })
	if i < 0 {
		m.notice("%q is recorded and not in place", r.Name)
		return
	}
	o := &m.Objects[i]
	if r.Boot != boot || r.Version != o.Version || r.Object != o.Digest || r.Profile != o.Profile ||
		r.KernelVerified != o.KernelVerified || r.Token != o.Token || !trusted.Fits(r, &o.Report) {
		m.notice("the record of %q does not fit what the kernel has, and counts for nothing", r.Name)
		return
	}
	o.Record = r
}

// list asks the kernel for everything. What goes away meanwhile is not there.
func (m *Machine) list() error {
	return errors.Join(
		each(bpfsys.ProgramIDs, bpfsys.OpenProgram, func(fd *bpfsys.FD) error {
			i, err := bpfsys.GetProgramInfo(fd)
			m.Programs = append(m.Programs, Program{ID: i.ID, Type: i.Type.String(), Name: i.Name, Tag: hex.EncodeToString(i.Tag[:]), LoadTime: i.LoadTime, MapIDs: i.MapIDs})
			return err
		}),
		each(bpfsys.MapIDs, bpfsys.OpenMap, func(fd *bpfsys.FD) error {
			i, err := bpfsys.GetMapInfo(fd)
			m.Maps = append(m.Maps, Map{ID: i.ID, Type: i.Type.String(), Name: i.Name})
			return err
		}),
		each(bpfsys.LinkIDs, bpfsys.OpenLink, func(fd *bpfsys.FD) error {
			i, err := bpfsys.GetLinkInfo(fd)
			m.Links = append(m.Links, Link{ID: i.ID, Type: i.Type.String(), ProgramID: i.ProgramID})
			return err
		}),
	)
}

func each(list func() ([]uint32, error), open func(uint32) (*bpfsys.FD, error), f func(*bpfsys.FD) error) error {
	ids, err := list()
	if err != nil {
		return err
	}
	for _, id := range ids {
		fd, err := open(id)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(f(fd), fd.Close()); err != nil {
			return err
		}
	}
	return nil
}
