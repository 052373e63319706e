package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

func (m *Manifest) checkPrograms() error {
	if len(m.Programs) > maxPrograms {
		return fmt.Errorf("%d programs, %d are allowed", len(m.Programs), maxPrograms)
	}
	maps := make(map[string]bool, len(m.Maps))
	for i := range m.Maps {
		maps[m.Maps[i].Name] = true
	}
	names := make(map[string]bool, len(m.Programs))
	for i := range m.Programs {
		p := &m.Programs[i]
		if err := p.check(); err != nil {
			return err
		}
		if names[p.Name] {
			return fmt.Errorf("program %s stands twice", p.Name)
		}
		names[p.Name] = true
		for _, name := range p.Maps {
			if !maps[name] {
				return fmt.Errorf("program %s uses a map %q that is not listed", p.Name, name)
			}
		}
	}
	return nil
}

func (p *Program) check() error {
	if err := checkFileName("program name", p.Name, maxName); err != nil {
		return err
	}
	if err := checkKernelName("program "+p.Name, p.KernelName); err != nil {
		return err
	}
	if err := checkText("section of "+p.Name, p.Section, maxTarget); err != nil {
		return err
	}
	if _, err := bpfabi.ParseProgramType(p.Type); err != nil {
		return fmt.Errorf("program %s: %w", p.Name, err)
	}
	if p.AttachType != "" {
		if _, err := bpfabi.ParseAttachType(p.AttachType); err != nil {
			return fmt.Errorf("program %s: %w", p.Name, err)
		}
	}
	if p.AttachTarget != "" {
		if err := checkText("attach target of "+p.Name, p.AttachTarget, maxTarget); err != nil {
			return err
		}
	}
	for _, f := range p.Flags {
		if f != FlagSleepable && f != FlagXDPHasFrags {
			return fmt.Errorf("program %s has the unknown flag %q", p.Name, f)
		}
	}
	if p.License != "" {
		if err := checkText("license of "+p.Name, p.License, maxLicense); err != nil {
			return err
		}
	}
	if err := p.Instructions.check("program " + p.Name); err != nil {
		return err
	}
	if p.Instructions.Length%8 != 0 {
		return fmt.Errorf("program %s has %d bytes, which are no whole instructions", p.Name, p.Instructions.Length)
	}
	for _, list := range []struct {
		what  string
		names []string
	}{{"flags", p.Flags}, {"helpers", p.Helpers}, {"kfuncs", p.Kfuncs}, {"maps", p.Maps}} {
		for _, name := range list.names {
			if err := checkText(list.what+" of "+p.Name, name, maxName); err != nil {
				return err
			}
		}
		if err := checkAscending(list.what+" of "+p.Name, list.names); err != nil {
			return err
		}
	}
	if p.Attach.By == AttachByBroker && !slices.Contains(kernelInputs, p.Attach.Input) && (p.AttachTarget == "") == (p.Attach.Input == "") {
		return fmt.Errorf("program %s is attached by the broker, and has either a target or an input", p.Name)
	}
	return p.Attach.check(p.Name)
}

// The kinds of inputs: those that a loader program reads from its context if it
// attaches, and those that only the broker can attach to.
var (
	kernelInputs = []string{InputInterface, InputCgroup, InputNetns}
	brokerInputs = []string{InputFunction, InputSyscall, InputUserFunction, InputTracepoint, InputRawTracepoint}
)

func (a *Attach) check(program string) error {
	switch {
	case !slices.Contains([]string{AttachByKernel, AttachByBroker, AttachByNone}, a.By):
		return fmt.Errorf("program %s is attached by the unknown %q", program, a.By)
	case a.By != AttachByKernel && a.Link != -1:
		return fmt.Errorf("program %s has a link's slot but is not attached by the kernel", program)
	case a.Input != "" && !slices.Contains(kernelInputs, a.Input) && !slices.Contains(brokerInputs, a.Input):
		return fmt.Errorf("program %s has the unknown input %q", program, a.Input)
	case (!slices.Contains(kernelInputs, a.Input) || a.By != AttachByKernel) && a.InputSlot != -1:
		return fmt.Errorf("program %s has an input's slot but no input in the context", program)
	case slices.Contains(kernelInputs, a.Input) && a.By == AttachByNone:
		return fmt.Errorf("program %s has an input but is not attached", program)
	case slices.Contains(brokerInputs, a.Input) && a.By != AttachByBroker:
		return fmt.Errorf("program %s has an input for the broker, which does not attach it", program)
	}
	return nil
}

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

// checkNeeds looks at what loading takes: delegation, capabilities, kernel.
func (m *Manifest) checkNeeds() error {
	d := &m.Delegation
	for _, list := range []struct {
		what  string
		names []string
		parse func(string) (uint32, error)
	}{
		{"delegated commands", d.Commands, func(s string) (uint32, error) { n, err := bpfabi.ParseCommand(s); return uint32(n), err }},
		{"delegated map types", d.Maps, func(s string) (uint32, error) { n, err := bpfabi.ParseMapType(s); return uint32(n), err }},
		{"delegated program types", d.Programs, func(s string) (uint32, error) { n, err := bpfabi.ParseProgramType(s); return uint32(n), err }},
		{"delegated attach types", d.AttachTypes, func(s string) (uint32, error) { n, err := bpfabi.ParseAttachType(s); return uint32(n), err }},
	} {
		last := int64(-1)
		for _, name := range list.names {
			n, err := list.parse(name)
			if err != nil {
				return fmt.Errorf("%s: %w", list.what, err)
			}
			if int64(n) <= last {
				return fmt.Errorf("%s: %s stands twice or out of order", list.what, name)
			}
			last = int64(n)
		}
	}
	for _, c := range m.Capabilities {
		if err := checkWord("capability", c, upper+"_", 32); err != nil {
			return err
		}
	}
	if err := checkAscending("capabilities", m.Capabilities); err != nil {
		return err
	}
	if err := checkRelease("least kernel", m.Kernel.Minimum); err != nil {
		return err
	}
	for _, n := range m.Kernel.Needs {
		if err := checkText("kernel feature", n.Feature, maxName); err != nil {
			return err
		}
		if err := checkRelease("release of "+n.Feature, n.Since); err != nil {
			return err
		}
	}
	return nil
}
