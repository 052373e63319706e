package loader

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/sorted"
)

// The kinds of attach targets that the machine names (manifest.Attach.Input).
const (
	inputInterface = "ifindex"
	inputCgroup    = "cgroup"
	inputNetns     = "netns"
	inputProgram   = "program"
)

// input is one such target, opened.
type input struct {
	kind       string
	text       string            // as it was given, for reports
	iface      string            // interface: its name
	ifindex    uint32            // interface
	attachType bpfabi.AttachType // interface of a tc program: tcx_ingress or tcx_egress
	fd         *bpfsys.FD        // cgroup, netns, program
	inode      uint64            // cgroup, netns
	program    uint32            // program: its id
	function   uint32            // program: the number of the type of the function to replace
}

// inputs are the targets by program.
type inputs map[string]*input

// close closes the descriptors that inputs hold.
func (in inputs) close() error {
	var errs []error
	for _, i := range in {
		errs = append(errs, i.fd.Close())
	}
	return errors.Join(errs...)
}

// openInputs opens the targets that the caller names. A name that is not a
// program of the object, or is one whose target is signed, is an error: the
// caller means something else than will happen.
func openInputs(m *manifest.Manifest, attach map[string]string) (inputs, error) {
	in := make(inputs, len(attach))
	names := make([]string, 0, len(attach))
	for name := range attach {
		names = append(names, name)
	}
	sorted.Strings(names) // so that of two errors always the same is told
	for _, name := range names {
		i := slices.IndexFunc(m.Programs, func(p manifest.Program) bool { return p.Name == name })
		var one *input
		err := errors.New("the object has no such program")
		if i >= 0 {
			one, err = openInput(&m.Programs[i], attach[name])
		}
		if err != nil {
			e := failure("attach target", name, "attach-target", err)
			if errno := errnoOf(err); errno == unix.EACCES || errno == unix.EPERM {
				e.verdict = Permission
			}
			return nil, errors.Join(e, in.close())
		}
		in[name] = one
	}
	for i := range m.Programs {
		if p := &m.Programs[i]; p.Attach.Input == inputProgram && !p.Optional && in[p.Name] == nil {
			e := failure("attach target", p.Name, "attach-target", fmt.Errorf("it replaces the function %q of another program, and is not told of which", p.AttachTarget))
			e.Hint = "--attach " + p.Name + "=PATH names a pinned program"
			return nil, errors.Join(e, in.close())
		}
	}
	return in, nil
}

func openInput(p *manifest.Program, target string) (*input, error) {
	one := &input{kind: p.Attach.Input, text: target}
	switch p.Attach.Input {
	case "":
		return nil, errors.New("its target is part of what was signed and cannot be chosen")
	case inputInterface:
		one.iface = target
		if twoSlots(p) {
			name, direction, given := strings.Cut(target, ":")
			one.iface, one.attachType = name, bpfabi.AttachTCXIngress
			switch {
			case given && direction == "egress":
				one.attachType = bpfabi.AttachTCXEgress
			case given && direction != "ingress":
				return nil, fmt.Errorf("%q is neither ingress nor egress", direction)
			}
		}
		index, err := interfaceIndex(one.iface)
		if err != nil {
			return nil, fmt.Errorf("interface %q: %w", one.iface, err)
		}
		one.ifindex = index
		return one, nil
	case inputCgroup:
		return one, one.open(unix.O_DIRECTORY, unix.CGROUP2_SUPER_MAGIC, "a directory of the cgroup2 file system")
	case inputNetns:
		return one, one.open(0, unix.NSFS_MAGIC, "a network namespace")
	case inputProgram:
		return one, one.openProgram(p.AttachTarget)
	default:
		if p.Attach.By == byBroker {
			// Attaching says whether there is such a thing: the broker's last step.
			return one, manifest.CheckTarget(target)
		}
		return nil, fmt.Errorf("its target is of kind %q, which this version does not know", p.Attach.Input)
	}
}

// twoSlots reports whether the program's direction is an input as well, in the
// slot after its interface.
func twoSlots(p *manifest.Program) bool {
	return p.Attach.Input == inputInterface && p.Type == bpfabi.ProgramSchedCls.String() && p.AttachType == ""
}

// open opens a path and makes sure that it is on the right file system.
func (i *input) open(flags int, magic int64, what string) error {
	n, err := unix.Open(i.text, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return fmt.Errorf("%q: %w", i.text, err)
	}
	if i.fd, err = bpfsys.NewFD(n); err != nil {
		return fmt.Errorf("%q: %w", i.text, err)
	}
	var where unix.Statfs_t
	var file unix.Stat_t
	if err := errors.Join(unix.Fstatfs(i.fd.Int(), &where), unix.Fstat(i.fd.Int(), &file)); err != nil {
		return errors.Join(fmt.Errorf("%q: %w", i.text, err), i.fd.Close())
	}
	i.inode = file.Ino
	wrong := int64(where.Type) != magic
	if i.kind == inputNetns && !wrong {
		kind, err := unix.IoctlRetInt(i.fd.Int(), unix.NS_GET_NSTYPE)
		wrong = err != nil || kind != unix.CLONE_NEWNET
	}
	if wrong {
		return errors.Join(fmt.Errorf("%q is not %s", i.text, what), i.fd.Close())
	}
	return nil
}

// openProgram opens a pinned program and finds the function that is to be
// replaced among its types.
func (i *input) openProgram(function string) (err error) {
	if i.fd, err = bpfsys.GetPinned(i.text); err != nil {
		return fmt.Errorf("%q: %w", i.text, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%q: %w", i.text, err), i.fd.Close())
		}
	}()
	info, err := bpfsys.GetProgramInfo(i.fd)
	if err != nil {
		return fmt.Errorf("it is no program: %w", err)
	}
	if info.BTFID == 0 {
		return errors.New("the program has no types: it was loaded without BTF")
	}
	raw, err := readBTF(info.BTFID)
	if err != nil {
		return err
	}
	types, err := kernelbtf.Parse(raw, nil)
	if err != nil {
		return err
	}
	i.program = info.ID
	if i.function, err = types.Function(function); err == nil && i.function == 0 {
		err = fmt.Errorf("the program has not one function %q", function)
	}
	return err
}

// interfaceIndex asks for an interface in the calling thread's network
// namespace. No name has a colon: the kernel would cut it off
// (net/core/dev_ioctl.c).
func interfaceIndex(name string) (uint32, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil || name == "" || strings.ContainsAny(name, ":/\x00") {
		return 0, errors.New("no name of an interface")
	}
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	err = unix.IoctlIfreq(s, unix.SIOCGIFINDEX, ifr)
	if err := errors.Join(err, unix.Close(s)); err != nil {
		return 0, err
	}
	return ifr.Uint32(), nil
}

// values are the context slots of the inputs. cpus is the number of CPUs.
func (in inputs) values(m *manifest.Manifest, cpus int32) map[int]int32 {
	values := make(map[int]int32)
	for i := range m.Maps {
		if m.Maps[i].PerCPU {
			values[m.Maps[i].Slot+1] = cpus
		}
	}
	for i := range m.Programs {
		p := &m.Programs[i]
		one := in[p.Name]
		if one == nil || p.Attach.By != byKernel {
			continue
		}
		if one.fd != nil {
			values[p.Attach.InputSlot] = int32(one.fd.Int())
			if one.kind == inputProgram {
				values[p.Attach.InputSlot+1] = int32(one.function)
			}
			continue
		}
		values[p.Attach.InputSlot] = int32(one.ifindex)
		if twoSlots(p) {
			values[p.Attach.InputSlot+1] = int32(one.attachType)
		}
	}
	return values
}

// stillThere makes sure that the name still means what was attached to.
func (i *input) stillThere() error {
	if i.kind != inputInterface {
		return nil // the descriptor holds it
	}
	now, err := interfaceIndex(i.iface)
	if err != nil {
		return fmt.Errorf("interface %q: %w", i.iface, err)
	}
	if now != i.ifindex {
		return fmt.Errorf("interface %q is another one than it was", i.iface)
	}
	return nil
}
