package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

func (m *Manifest) checkMaps() error {
	if len(m.Maps) > maxMaps {
		return fmt.Errorf("%d maps, %d are allowed", len(m.Maps), maxMaps)
	}
	names := make(map[string]bool, len(m.Maps))
	for i := range m.Maps {
		p := &m.Maps[i]
		if err := p.check(); err != nil {
			return err
		}
		if names[p.Name] {
			return fmt.Errorf("map %s stands twice", p.Name)
		}
		names[p.Name] = true
		if err := m.checkFunctions(p); err != nil {
			return err
		}
		if p.FilledByLoader() && slices.ContainsFunc(m.Programs, p.usedTooEarly) {
			return fmt.Errorf("map %s is filled when what uses it is attached", p.Name)
		}
		if t := p.InnerMap; t != nil {
			if err := t.check(); err != nil {
				return fmt.Errorf("inner map of %s: %w", p.Name, err)
			}
			if t.InnerMap != nil || t.Slot != -1 || t.PerCPU || t.StructOps != nil || t.IsArena() || t.Pinning != "" || t.Keep != "" || t.Mode != "" {
				return fmt.Errorf("the inner map of %s has a slot, a pin or an inner map of its own", p.Name)
			}
		}
	}
	return nil
}

func (p *Map) check() error {
	if err := checkFileName("map name", p.Name, maxName); err != nil {
		return err
	}
	if err := checkKernelName("map "+p.Name, p.KernelName); err != nil {
		return err
	}
	if _, err := bpfabi.ParseMapType(p.Type); err != nil {
		return fmt.Errorf("map %s: %w", p.Name, err)
	}
	if p.PerCPU && p.Type != bpfabi.MapPerfEventArray.String() {
		return fmt.Errorf("map %s of type %s has an entry for each CPU", p.Name, p.Type)
	}
	if p.Pinning != "" && p.Pinning != PinningByName {
		return fmt.Errorf("map %s has the unknown pinning %q", p.Name, p.Pinning)
	}
	if p.Keep != "" {
		if err := checkDigest("types of map "+p.Name, p.Keep); err != nil {
			return err
		}
		if p.Frozen || p.InnerMap != nil || p.StructOps != nil || p.Contents != nil && !p.IsSection() {
			return fmt.Errorf("map %s cannot be kept: what it holds is this version's", p.Name)
		}
	}
	if p.Mode != "" {
		if err := CheckMode(p.Mode); err != nil {
			return fmt.Errorf("map %s: %w", p.Name, err)
		}
	}
	if (p.StructOps != nil) != p.isStructOps() {
		return fmt.Errorf("map %s of type %s has the layouts of struct_ops, or lacks them", p.Name, p.Type)
	}
	if p.StructOps != nil {
		if err := p.StructOps.check(p); err != nil {
			return err
		}
	}
	if err := p.checkArena(); err != nil {
		return err
	}
	if p.Contents != nil {
		return p.Contents.check("contents of map " + p.Name)
	}
	return nil
}

// IsArena reports whether the map is an arena.
func (p *Map) IsArena() bool { return p.Type == bpfabi.MapArena.String() }

// FilledByLoader reports whether the map is an arena whose contents the loader
// writes.
func (p *Map) FilledByLoader() bool { return p.IsArena() && p.Contents != nil }

// checkArena wants contents of an arena to lie within it, at an address that is
// known, and no other map to have such.
func (p *Map) checkArena() error {
	if p.ContentsAt != 0 && (p.Contents == nil || !p.IsArena() && !p.IsSection()) || p.ArenaOffset != 0 && !p.FilledByLoader() {
		return fmt.Errorf("map %s of type %s has a place for contents that it does not have", p.Name, p.Type)
	}
	if !p.FilledByLoader() {
		return nil
	}
	size := uint64(p.MaxEntries) * ArenaPage
	switch {
	case p.ContentsAt == 0 || p.Contents.Length == 0 || uint64(p.ArenaOffset)+p.Contents.Length > size:
		return fmt.Errorf("map %s: its contents do not lie within its %d pages", p.Name, p.MaxEntries)
	case size > 1<<32 || p.Extra == 0 || p.Extra%ArenaPage != 0 || p.Extra>>47 != 0 || p.Extra>>32 != (p.Extra+size-1)>>32:
		return fmt.Errorf("map %s: an arena of %d pages does not lie at %#x", p.Name, p.MaxEntries, p.Extra)
	case p.Keep != "" || p.Flags&bpfabi.MapFlagMmapable == 0:
		return fmt.Errorf("map %s: an arena that is filled is not kept, and can be mapped", p.Name)
	}
	return nil
}

// usedTooEarly reports whether a program that uses the map is attached before the
// loader has the map in its hands.
func (p *Map) usedTooEarly(by Program) bool {
	return slices.Contains(by.Maps, p.Name) && (by.Attach.By == AttachByKernel || by.Type == bpfabi.ProgramStructOps.String())
}

// IsSection reports whether the map is a data section.
func (p *Map) IsSection() bool { return strings.HasPrefix(p.Name, ".") }

// KeepSlot is where the loader program reads the descriptor of the map that is
// kept: the slot after the map's own, and after that of its size.
func (p *Map) KeepSlot() int {
	if p.PerCPU {
		return p.Slot + 2
	}
	return p.Slot + 1
}

// CheckMode takes the mode of a pin that is not the usual one: its owner's right
// to read and write, and some of others', in four octal digits.
func CheckMode(s string) error {
	if len(s) != 4 || s[:2] != "06" || !madeOf(s[2:], "0246") || s == "0600" {
		return fmt.Errorf("the mode %q is none of 0604 to 0666, in which others than the owner may read or write", s)
	}
	return nil
}

// Permissions are those of the map's pin.
func (p *Map) Permissions() uint32 {
	if len(p.Mode) != 4 {
		return 0o600
	}
	return 0o600 | uint32(p.Mode[2]-'0')<<3 | uint32(p.Mode[3]-'0')
}
