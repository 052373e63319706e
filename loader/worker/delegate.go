//go:build linux

package worker

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// masks are a delegation as the kernel has it: bits by its numbers.
type masks struct{ commands, maps, programs, attachTypes uint64 }

// newMasks makes masks of names.
func newMasks(d manifest.Delegation) (m masks, err error) {
	for _, part := range []struct {
		mask  *uint64
		names []string
		parse func(string) (uint32, error)
	}{
		{&m.commands, d.Commands, number(bpfabi.ParseCommand)},
		{&m.maps, d.Maps, number(bpfabi.ParseMapType)},
		{&m.programs, d.Programs, number(bpfabi.ParseProgramType)},
		{&m.attachTypes, d.AttachTypes, number(bpfabi.ParseAttachType)},
	} {
		for _, name := range part.names {
			n, err := part.parse(name)
			if err != nil {
				return masks{}, err
			}
			if n >= 64 {
				return masks{}, fmt.Errorf("%s cannot be delegated: its number is %d", name, n)
			}
			*part.mask |= 1 << n
		}
	}
	return m, nil
}

// number makes a parser of names that all kinds of numbers share.
func number[T ~uint32](parse func(string) (T, error)) func(string) (uint32, error) {
	return func(name string) (uint32, error) {
		n, err := parse(name)
		return uint32(n), err
	}
}

// apply configures a bpffs that delegates this and creates it. The masks are
// given as numbers: names the kernel finds only in its BTF, and only those that
// it has (kernel/bpf/inode.c, bpf_parse_param), while an object may have
// optional programs of kinds that a kernel does not know yet.
func (m masks) apply(fs int) error {
	if m.commands == 0 {
		// Only a bpffs takes the option: it says what this descriptor is.
		return errors.New("the delegation has no command")
	}
	for _, part := range []struct {
		option string
		mask   uint64
	}{
		{"delegate_cmds", m.commands}, {"delegate_maps", m.maps}, {"delegate_progs", m.programs}, {"delegate_attachs", m.attachTypes},
	} {
		if part.mask == 0 {
			continue
		}
		if err := unix.FsconfigSetString(fs, part.option, fmt.Sprintf("%#x", part.mask)); err != nil {
			return fmt.Errorf("fsconfig %s: %w", part.option, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return fmt.Errorf("fsconfig create: %w", err)
	}
	return nil
}
