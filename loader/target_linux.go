package loader

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// targetTypes compares attach targets, which the kernel tells as numbers of its
// own types, with the names that were signed. It reads the types when it first
// needs them.
type targetTypes struct {
	// hidden says that the kernel does not tell this caller a program's
	// target, for want of CAP_BPF in the initial user namespace.
	hidden bool

	vmlinux *typesFile
	modules map[string]*typesFile
}

// close gives the types back.
func (t *targetTypes) close() error {
	errs := []error{t.vmlinux.close()}
	for _, m := range t.modules {
		errs = append(errs, m.close())
	}
	return errors.Join(errs...)
}

// targetName is the name and kind of the kernel type that stands for a
// program's target, and false for programs whose target is none. A target may
// name the module that has it, or "vmlinux".
func targetName(p *manifest.Program) (module, name string, kind int, ok bool) {
	module, target, found := strings.Cut(p.AttachTarget, ":")
	if !found {
		module, target = "", p.AttachTarget
	}
	switch {
	case p.Type == bpfabi.ProgramLSM.String():
		return module, "bpf_lsm_" + target, kernelbtf.KindFunc, true
	case p.Type == bpfabi.ProgramStructOps.String(): // "structure.member"
		name, _, _ = strings.Cut(p.AttachTarget, ".")
		return "", name, kernelbtf.KindStruct, true
	case p.Type != bpfabi.ProgramTracing.String():
		return "", "", 0, false
	case p.AttachType == bpfabi.AttachTraceRawTP.String():
		return module, "btf_trace_" + target, kernelbtf.KindTypedef, true
	case p.AttachType == bpfabi.AttachTraceIter.String():
		return module, "bpf_iter_" + target, kernelbtf.KindFunc, true
	default:
		return module, target, kernelbtf.KindFunc, true
	}
}

// checkProgram compares the target that the kernel tells of a program.
func (t *targetTypes) checkProgram(p *manifest.Program, info *bpfsys.ProgramInfo) error {
	if info.AttachBTFID == 0 && info.AttachBTFObjID == 0 && t.hidden || p.Attach.Input == inputProgram {
		return nil // a link shows it again
	}
	return t.check(p, info.AttachBTFObjID, info.AttachBTFID)
}

// check compares one target: a type's number and its BTF object's id.
func (t *targetTypes) check(p *manifest.Program, object, id uint32) error {
	module, name, kind, ok := targetName(p)
	if !ok {
		if object != 0 || id != 0 {
			return mismatch("program", p.Name, "it has an attach target")
		}
		return nil
	}
	if object == 0 || id == 0 {
		return mismatch("program", p.Name, "it has no attach target")
	}
	types, err := t.of(object)
	if err != nil {
		return failure("check program", p.Name, "check-failed", err)
	}
	found, ok, err := types.Find(id)
	if err != nil {
		return failure("check program", p.Name, "check-failed", err)
	}
	if !ok && t.hidden && module != "" {
		return &Error{verdict: Permission, Reason: "not-permitted", Stage: "check program", Name: p.Name,
			text: "which module has its attach target is not told: that needs CAP_SYS_ADMIN in the initial user namespace"}
	}
	if !ok || found.Kind != kind || types.Name(found) != name {
		return mismatch("program", p.Name, "its attach target is %q, not %q", types.Name(found), name)
	}
	if module != "" && types != t.module(module) {
		return mismatch("program", p.Name, "its attach target is %q, but not that of %q", name, module)
	}
	return nil
}

// of returns the types of the BTF object with this id. Who may not ask for its
// name can only have types of the kernel proper checked: a module's numbers are
// outside of its range and are not found.
func (t *targetTypes) of(object uint32) (*typesFile, error) {
	vmlinux, err := t.kernel()
	if err != nil {
		return nil, err
	}
	fd, err := bpfsys.OpenBTF(object)
	if errors.Is(err, unix.EPERM) && t.hidden {
		return vmlinux, nil
	}
	if err != nil {
		return nil, err
	}
	defer fd.Close()
	info, err := bpfsys.GetBTFInfo(fd)
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Kernel:
		return nil, errors.New("its attach target is not in the kernel")
	case info.Name == "vmlinux":
		return vmlinux, nil
	case info.Name == "" || strings.ContainsAny(info.Name, "/."):
		return nil, errors.New("its attach target is in a module without a name")
	}
	if types := t.modules[info.Name]; types != nil {
		return types, nil
	}
	types, err := openTypes(path.Join(path.Dir(kernelTypesPath), info.Name), vmlinux.Types)
	if err != nil {
		return nil, err
	}
	if t.modules == nil {
		t.modules = make(map[string]*typesFile)
	}
	t.modules[info.Name] = types
	return types, nil
}

// module returns the types of a module, or of "vmlinux", that were read.
func (t *targetTypes) module(name string) *typesFile {
	if name == "vmlinux" {
		return t.vmlinux
	}
	return t.modules[name]
}

// kernel returns the kernel's own types.
func (t *targetTypes) kernel() (*typesFile, error) {
	if t.vmlinux == nil {
		types, err := openTypes(kernelTypesPath, nil)
		if err != nil {
			return nil, err
		}
		t.vmlinux = types
	}
	return t.vmlinux, nil
}
