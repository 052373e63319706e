//go:build vmguest && linux && amd64

package faultinject

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/loader"
)

// What the boot set of the guest has.
const (
	object  = "fileguard"
	bpffs   = "/sys/fs/bpf"
	pins    = bpffs + "/tbpf"
	records = "/run/tbpf"
	floors  = "/var/lib/tbpf"
	holder  = bpffs + "/tbpf-keyring" // holds the boot's keyring
)

// machine is everything of BPF in the kernel, by id, and every mount.
type machine struct {
	programs, maps, links []uint32
	mounts                string
}

func readMachine() (m machine, err error) {
	var errs [4]error
	m.programs, errs[0] = bpfsys.ProgramIDs()
	m.maps, errs[1] = bpfsys.MapIDs()
	m.links, errs[2] = bpfsys.LinkIDs()
	mounts, err := os.ReadFile("/proc/self/mounts")
	m.mounts, errs[3] = string(mounts), err
	return m, errors.Join(errs[:]...)
}

// with is the machine with an object in it besides.
func (m machine) with(r *loader.Report) machine {
	m.programs, m.maps, m.links = slices.Clone(m.programs), slices.Clone(m.maps), slices.Clone(m.links)
	for _, p := range r.Programs {
		m.programs = append(m.programs, p.ID)
	}
	for _, x := range r.Maps {
		m.maps = append(m.maps, x.ID)
	}
	for _, l := range r.Links {
		m.links = append(m.links, l.ID)
	}
	return m
}

// sameBPF compares without the mounts.
func (m machine) sameBPF(other machine) bool {
	return slices.Equal(m.programs, other.programs) && slices.Equal(m.maps, other.maps) && slices.Equal(m.links, other.links)
}

// settled waits until the kernel has freed what nobody holds any more, which it
// does a little later.
func settled(want machine, same func(machine) bool) error {
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		have, err := readMachine()
		if err != nil {
			return err
		}
		if same(have) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the kernel has %+v, and not %+v", have, want)
		}
	}
}

// wholeOrNothing looks at the machine: the object is in place with everything
// that it has and nothing else is, or nothing of it is.
func wholeOrNothing(before machine, shape *loader.Report) (whole bool, err error) {
	r, found, err := loader.StatusOf(pins, object)
	if err != nil {
		return false, err
	}
	if !found {
		if _, err := os.Lstat(pins + "/" + object); !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("a name of something that is not an object is visible: %v", err)
		}
		return false, settled(before, before.sameBPF)
	}
	if len(r.Programs) != len(shape.Programs) || len(r.Maps) != len(shape.Maps) || len(r.Links) != len(shape.Links) ||
		r.Digest != shape.Digest || r.Profile != shape.Profile || r.KernelVerified != shape.KernelVerified || r.Token != shape.Token {
		return false, fmt.Errorf("%+v is in place, and not %+v", r, *shape)
	}
	for _, p := range r.Programs {
		if p.Attached == "" {
			return false, fmt.Errorf("program %q is in place and not attached", p.Name)
		}
	}
	want := before.with(&r)
	return true, settled(want, want.sameBPF)
}

// reset takes everything down and makes the machine forget it. Nothing may be
// left then, mounts included.
func reset(before machine) error {
	err := loader.Unload(pins, object)
	var refused *loader.Error
	if errors.As(err, &refused) && refused.Reason == "not-loaded" {
		err = nil
	}
	for unix.Unmount(holder, unix.MNT_DETACH) == nil {
	}
	if err := errors.Join(err, os.RemoveAll(records), os.RemoveAll(floors), os.RemoveAll(holder)); err != nil {
		return err
	}
	if entries, err := os.ReadDir(pins); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if len(entries) > 0 {
		return fmt.Errorf("%s still has %v", pins, entries)
	}
	return settled(before, func(m machine) bool { return m.sameBPF(before) && m.mounts == before.mounts })
}
