package loader

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// attach attaches the programs that a loader program cannot attach, because
// that takes user memory or a perf event: each to the target that is signed, or
// that the machine named where the manifest leaves it to it.
func (l *Loaded) attach(m *manifest.Manifest, in inputs) (err error) {
	targets := &targetTypes{hidden: l.report.Token}
	defer func() { err = errors.Join(err, targets.close()) }()
	for i := range m.Programs {
		p := &m.Programs[i]
		prog := l.programs[p.Name]
		if p.Attach.By != byBroker || prog == nil {
			continue
		}
		target := p.AttachTarget
		if p.Attach.Input != "" {
			one := in[p.Name]
			if one == nil {
				continue // loaded, not attached
			}
			target = one.text
		}
		link, err := attachProgram(p, target, prog, in[p.Name])
		if err != nil {
			return attachError(p, target, err)
		}
		if link == nil {
			continue // optional, and its target is not in this kernel
		}
		l.links[p.Name] = link
		report, err := reportLink(p, target, prog, link, in[p.Name], targets)
		if err != nil {
			return err
		}
		l.report.Links = append(l.report.Links, report)
		for j := range l.report.Programs {
			if r := &l.report.Programs[j]; r.Name == p.Name {
				r.Attached, r.Target = byBroker, target
			}
		}
	}
	return nil
}

// attachProgram attaches one program. It returns nil for an optional one whose
// target is not there.
func attachProgram(p *manifest.Program, target string, prog *bpfsys.FD, in *input) (*bpfsys.FD, error) {
	if waited(p) {
		return attachWaited(p, prog, in)
	}
	link, err := attachTo(p, target, prog)
	if err != nil && p.Optional && errnoOf(err) == unix.ENOENT {
		return nil, nil
	}
	return link, err
}

func attachTo(p *manifest.Program, target string, prog *bpfsys.FD) (*bpfsys.FD, error) {
	switch p.Type {
	case bpfabi.ProgramRawTracepoint.String(), bpfabi.ProgramRawTracepointWritable.String():
		return bpfsys.OpenRawTracepoint(target, prog)
	case bpfabi.ProgramTracepoint.String():
		event, err := tracepointEvent(target)
		if err != nil {
			return nil, err
		}
		return attachEvent(event, prog)
	case bpfabi.ProgramKProbe.String():
		switch p.AttachType {
		case bpfabi.AttachTraceKProbeMulti.String():
			return attachFunctions(p, target, prog, bpfabi.AttachTraceKProbeMulti)
		case bpfabi.AttachTraceKProbeSession.String():
			return attachFunctions(p, target, prog, bpfabi.AttachTraceKProbeSession)
		case bpfabi.AttachTraceUProbeMulti.String():
			return attachUserFunctions(p, target, prog, bpfabi.AttachTraceUProbeMulti)
		case bpfabi.AttachTraceUProbeSession.String():
			return attachUserFunctions(p, target, prog, bpfabi.AttachTraceUProbeSession)
		}
		event, err := probeEvent(p, target)
		if err != nil {
			return nil, err
		}
		return attachEvent(event, prog)
	default:
		return nil, fmt.Errorf("programs of type %s are not attached from outside: %w", p.Type, unix.EOPNOTSUPP)
	}
}

// attachEvent attaches to a perf event, which the link then holds.
func attachEvent(e bpfsys.PerfEvent, prog *bpfsys.FD) (*bpfsys.FD, error) {
	event, err := bpfsys.OpenPerfEvent(e)
	if err != nil {
		return nil, err
	}
	defer event.Close()
	return bpfsys.CreatePerfEventLink(prog, event)
}

// sectionKind is the first part of a program's section: "kretprobe". It says
// what the program types do not.
func sectionKind(p *manifest.Program) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(p.Section, "?"), "/")
	return kind
}

// probeEvent is the event of a kprobe or uprobe program. Which of them it is,
// and whether it is for the return, is in the name of its section.
func probeEvent(p *manifest.Program, target string) (bpfsys.PerfEvent, error) {
	switch kind := sectionKind(p); kind {
	case "kprobe", "kretprobe":
		name, offset, err := splitOffset(target)
		if err != nil {
			return bpfsys.PerfEvent{}, err
		}
		return probe("kprobe", kind == "kretprobe", name, offset)
	case "ksyscall", "kretsyscall":
		prefix, err := syscallPrefix()
		if err != nil {
			return bpfsys.PerfEvent{}, err
		}
		return probe("kprobe", kind == "kretsyscall", prefix+target, 0)
	case "uprobe", "uretprobe", "uprobe.s", "uretprobe.s":
		file, offset, err := userFunction(target)
		if err != nil {
			return bpfsys.PerfEvent{}, err
		}
		return probe("uprobe", strings.HasPrefix(kind, "uret"), file, offset)
	default:
		return bpfsys.PerfEvent{}, fmt.Errorf("section %q is not attached by this version: %w", p.Section, unix.EOPNOTSUPP)
	}
}

// splitOffset reads "function" or "function+offset", as the kernel has them.
func splitOffset(target string) (string, uint64, error) {
	name, text, found := strings.Cut(target, "+")
	if !found {
		return name, 0, nil
	}
	offset, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		return "", 0, fmt.Errorf("offset %q of target %q is no number", text, target)
	}
	return name, offset, nil
}

// syscallPrefix is how functions that implement system calls are called
// (arch/*/include/asm/syscall_wrapper.h).
func syscallPrefix() (string, error) {
	here, err := thisMachine()
	if err != nil {
		return "", err
	}
	switch here.arch {
	case "x86_64":
		return "__x64_sys_", nil
	case "arm64":
		return "__arm64_sys_", nil
	default:
		return "", fmt.Errorf("the names of system calls' functions on %s are not known: %w", here.arch, unix.EOPNOTSUPP)
	}
}

// attachError says why a program could not be attached.
func attachError(p *manifest.Program, target string, err error) *Error {
	e := &Error{verdict: Failed, Reason: "attach-failed", Stage: "attach program", Name: p.Name,
		text: "to " + strconv.Quote(target), cause: err}
	switch errnoOf(err) {
	case unix.EPERM, unix.EACCES:
		e.verdict, e.Reason = Permission, "not-permitted"
		e.Hint = "perf events and tracepoints need CAP_PERFMON in the initial user namespace, and tracefs must be readable"
	case unix.ENOENT, unix.EADDRNOTAVAIL:
		e.verdict, e.Reason = Unsupported, "attach-target-missing"
		e.Hint = `SEC("?...") makes a program optional`
		if call, ok := strings.CutPrefix(target, "sys_"); ok && p.Type == bpfabi.ProgramKProbe.String() {
			// The target is what was signed, and is taken at its word, as
			// libbpf does (tools/lib/bpf/libbpf.c, attach_kprobe).
			e.Hint = `the function of a system call has another name on each architecture: SEC("ksyscall/` + call + `") finds it`
		}
	case unix.EOPNOTSUPP, errnoENOTSUPP, unix.EINVAL:
		e.verdict, e.Reason = Unsupported, "attach-unsupported"
	case unix.EBUSY, unix.EEXIST:
		e.Reason = "attach-busy"
	}
	return e
}
