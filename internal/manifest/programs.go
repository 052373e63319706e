package manifest

import (
	"fmt"
	"slices"

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
	if replaces := p.Type == bpfabi.ProgramExt.String(); replaces != (p.Attach.Input == InputProgram) || replaces && p.AttachTarget == "" {
		return fmt.Errorf("program %s of type %s names a function of a program, or lacks one", p.Name, p.Type)
	}
	return p.Attach.check(p.Name)
}

// The kinds of inputs: those that a loader program reads from its context if it
// attaches, and those that only the broker can attach to.
var (
	kernelInputs = []string{InputInterface, InputCgroup, InputNetns, InputProgram}
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
