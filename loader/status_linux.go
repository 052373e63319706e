package loader

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/sorted"
)

// Status tells what is pinned beneath a pin directory, by asking the kernel
// about each pin. A directory that is not there holds nothing. Names of
// programs and maps are those of the pins.
func Status(dir string) ([]Report, error) {
	root, _, err := openPinDir(dir, false)
	if errors.Is(err, unix.ENOENT) {
		return []Report{}, nil
	}
	if err != nil {
		return nil, asError(pinError(dir, err))
	}
	defer root.Close()
	names, err := listDir(root, ".")
	if err != nil {
		return nil, pinError(dir, err)
	}
	reports := []Report{}
	types := new(targetTypes)
	defer types.close()
	sorted.Strings(names)
	for _, name := range names {
		path := filepath.Join(dir, name)
		report, ours, err := statusOf(root, name, path, types)
		if errors.Is(err, unix.ENOENT) {
			continue // it is being unloaded just now
		}
		if err != nil {
			return nil, failure("status", path, "status-failed", err)
		}
		if ours {
			reports = append(reports, report)
		}
	}
	return reports, nil
}

// StatusOf tells about one object that is pinned beneath a pin directory, by its
// name; found is false if there is none.
func StatusOf(dir, name string) (r Report, found bool, err error) {
	root, _, err := openPinDir(dir, false)
	if errors.Is(err, unix.ENOENT) {
		return r, false, nil
	}
	if err != nil {
		return r, false, asError(pinError(dir, err))
	}
	defer root.Close()
	file, err := pinName(name)
	if err != nil {
		return r, false, failure("status", name, "pin-name", err)
	}
	path := filepath.Join(dir, file)
	r, found, err = statusOf(root, file, path, new(targetTypes))
	if errors.Is(err, unix.ENOENT) {
		return r, false, nil
	}
	if err != nil {
		return r, false, failure("status", path, "status-failed", err)
	}
	return r, found, nil
}

// readMark reads the mark of an object's directory.
func readMark(object *bpfsys.FD) (mark, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(object.Int(), markName, buf)
	if err != nil {
		return mark{}, err
	}
	return parseMark(string(buf[:n]))
}

// statusOf asks the kernel about the pins in one object's directory. ours is
// false for something that tbpf did not make, or did not finish.
func statusOf(root *bpfsys.FD, name, path string, types *targetTypes) (r Report, ours bool, err error) {
	if strings.HasPrefix(name, partialPrefix) {
		return r, false, nil
	}
	object, err := openDir(root, name)
	if err == unix.ENOTDIR || err == unix.ELOOP {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	defer object.Close()
	m, err := readMark(object)
	if err != nil {
		return r, false, nil
	}
	r = Report{Name: m.name, Version: m.version, Digest: m.digest, Profile: m.profile, KernelVerified: m.kernelVerified,
		Token: m.token, Programs: []ProgramReport{}, Maps: []MapReport{}, Links: []LinkReport{}, Pins: []string{}}
	return r, true, r.fill(object, path, types)
}

// fill asks about each pin.
func (r *Report) fill(object *bpfsys.FD, path string, types *targetTypes) error {
	byID := make(map[uint32]int) // programs by id
	each := func(sub string, f func(name string, fd *bpfsys.FD) error) error {
		names, err := listDir(object, sub)
		if err != nil {
			return err
		}
		sorted.Strings(names)
		for _, name := range names {
			pin := filepath.Join(path, sub, name)
			fd, err := bpfsys.GetPinned(pin)
			if err != nil {
				return fmt.Errorf("%s/%s: %w", sub, name, err)
			}
			err = f(name, fd)
			if err := errors.Join(err, fd.Close()); err != nil {
				return fmt.Errorf("%s/%s: %w", sub, name, err)
			}
			r.Pins = append(r.Pins, pin)
		}
		return nil
	}
	err := each(mapsDir, func(name string, fd *bpfsys.FD) error {
		info, err := bpfsys.GetMapInfo(fd)
		r.Maps = append(r.Maps, MapReport{Name: name, Type: info.Type.String(), ID: info.ID,
			KeySize: info.KeySize, ValueSize: info.ValueSize, MaxEntries: info.MaxEntries})
		return err
	})
	if err != nil {
		return err
	}
	err = each(programsDir, func(name string, fd *bpfsys.FD) error {
		info, err := bpfsys.GetProgramInfo(fd)
		byID[info.ID] = len(r.Programs)
		r.Programs = append(r.Programs, ProgramReport{Name: name, Type: info.Type.String(), ID: info.ID, Tag: tagText(info.Tag), LoadTime: info.LoadTime})
		return err
	})
	if err != nil {
		return err
	}
	return each(linksDir, func(name string, fd *bpfsys.FD) error {
		info, err := bpfsys.GetLinkInfo(fd)
		if err != nil {
			return err
		}
		link := LinkReport{Program: name, Type: info.Type.String(), ID: info.ID, Target: targetText(&info, r.typeOf(byID, info.ProgramID), types), ProgramID: info.ProgramID}
		r.Links = append(r.Links, link)
		if i, ok := byID[info.ProgramID]; ok {
			r.Programs[i].Attached, r.Programs[i].Target = byKernel, link.Target
			if info.Type == bpfabi.LinkPerfEvent || info.Type == bpfabi.LinkRawTracepoint && r.Programs[i].Type != bpfabi.ProgramTracing.String() {
				r.Programs[i].Attached = byBroker
			}
		}
		return nil
	})
}

// typeOf is the type of one of the programs.
func (r *Report) typeOf(byID map[uint32]int, id uint32) string {
	if i, ok := byID[id]; ok {
		return r.Programs[i].Type
	}
	return ""
}

// targetText is what a link of a program of this type is attached to, as far as
// the kernel tells.
func targetText(info *bpfsys.LinkInfo, programType string, types *targetTypes) string {
	switch info.Type {
	case bpfabi.LinkXDP:
		return fmt.Sprintf("interface %d", info.Ifindex)
	case bpfabi.LinkTCX, bpfabi.LinkNetkit:
		return fmt.Sprintf("interface %d, %v", info.Ifindex, info.AttachType)
	case bpfabi.LinkCgroup:
		return fmt.Sprintf("cgroup %d, %v", info.CgroupID, info.AttachType)
	case bpfabi.LinkNetNS:
		return fmt.Sprintf("network namespace %d, %v", info.NetnsInode, info.AttachType)
	case bpfabi.LinkRawTracepoint:
		return info.Tracepoint
	case bpfabi.LinkIter:
		return info.Target
	case bpfabi.LinkTracing:
		if programType == bpfabi.ProgramExt.String() {
			return fmt.Sprintf("function %d of program %d", info.TargetBTFID, info.TargetObjID)
		}
		if object, err := types.of(info.TargetObjID); err == nil {
			if t, ok, err := object.Find(info.TargetBTFID); ok && err == nil {
				return object.Name(t)
			}
		}
		return fmt.Sprintf("type %d of BTF object %d", info.TargetBTFID, info.TargetObjID)
	default:
		return ""
	}
}
