// Package skeleton generates loader programs: from a BPF object it makes one
// metadata blob and, for each of the kernel's signing profiles, one SYSCALL
// program that creates the object's maps, loads its programs and attaches
// them, from inside the kernel.
//
// The result is a function of the object's bytes and the options alone: the same
// gives the same bytes on any machine. What an object asks for is either carried or
// refused with an UnsupportedError that names it; nothing is dropped.
//
// A loader program takes nothing from its context but log settings, a token,
// the attach targets and the values of variables that the manifest declares,
// and the places for the results (package loadctx). Everything else is under the signature.
//
// sign and the command line's --reproduce import it. verify and loader do not.
package skeleton

import (
	"fmt"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Skeleton is what is signed for the kernel.
type Skeleton struct {
	// Metadata is the initial value of the loader programs' one map. Its
	// length is a multiple of eight and its first eight bytes are zero.
	Metadata []byte
	// Loaders are the programs' instructions.
	Loaders map[bpfabi.Profile][]byte
	// Manifest has the fields that follow from the object: architecture, byte
	// order, sizes, programs, maps, globals, symbols, delegation,
	// capabilities and kernel needs.
	Manifest manifest.Manifest
}

// UnsupportedError is something in an object that loader programs cannot carry.
type UnsupportedError struct {
	Name string // the map, program, variable or section
	Why  string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("cannot sign %s: %s", e.Name, e.Why)
}

// MaxObject is the largest object in bytes.
const MaxObject = 64 << 20

// Options are what a skeleton has besides what follows from the object.
type Options struct {
	// Tunables are the values that a machine may set when it loads the object.
	Tunables []Tunable
	// Keep names the maps that newer versions of the object take over, besides
	// those that the object declares with LIBBPF_PIN_BY_NAME.
	Keep []string
	// Modes are the modes of maps' pins, by name, that are not 0600.
	Modes map[string]string
	// Without names programs of the object that are not loaded.
	Without []string
	// programs are those that a manifest has; nil: all but Without.
	programs []string
	// Targets are what programs attach to, by name, instead of what their
	// sections say: of tracing, LSM, kprobe and tracepoint programs.
	Targets map[string]string
	// KernelTypes are the kernels that struct_ops maps are made for.
	KernelTypes []*KernelTypes
	// Layouts, by structure, are used instead of those of KernelTypes.
	Layouts map[string][]*manifest.Layout
}

// OptionsOf are the options that a manifest was made with, so that the same can
// be generated again.
func OptionsOf(m *manifest.Manifest) Options {
	opt := Options{Layouts: make(map[string][]*manifest.Layout), Modes: make(map[string]string),
		Targets: make(map[string]string), programs: make([]string, 0, len(m.Programs))}
	for i := range m.Programs {
		p := &m.Programs[i]
		opt.programs = append(opt.programs, p.Name)
		if typ, err := bpfabi.ParseProgramType(p.Type); err == nil && hasTarget(typ) && p.AttachTarget != "" {
			opt.Targets[p.Name] = p.AttachTarget
		}
	}
	for i := range m.Maps {
		if mode := m.Maps[i].Mode; mode != "" {
			opt.Modes[m.Maps[i].Name] = mode
		}
		if m.Maps[i].Keep != "" && m.Maps[i].Pinning == "" {
			opt.Keep = append(opt.Keep, m.Maps[i].Name)
		}
		if s := m.Maps[i].StructOps; s != nil && opt.Layouts[s.Type] == nil {
			for k := range s.Layouts {
				opt.Layouts[s.Type] = append(opt.Layouts[s.Type], &s.Layouts[k])
			}
		}
	}
	for i := range m.Tunables {
		if m.Tunables[i].Source != "" {
			continue // it follows from the object
		}
		opt.Tunables = append(opt.Tunables, Tunable{Name: m.Tunables[i].Name, Allowed: m.Tunables[i].Allowed()})
	}
	return opt
}

// Generate makes the skeleton of an object. It makes no system call.
func Generate(file []byte, opt Options) (*Skeleton, error) {
	if len(file) > MaxObject {
		return nil, fmt.Errorf("object has %d bytes: more than %d", len(file), MaxObject)
	}
	o, err := parseObject(file)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(o, opt)
	if err != nil {
		return nil, err
	}
	s := &Skeleton{Loaders: make(map[bpfabi.Profile][]byte)}
	img := newImage(p)
	s.Metadata = img.buf
	for _, profile := range bpfabi.Profiles() {
		insns, err := emitLoader(p, img, profile)
		if err != nil {
			return nil, err
		}
		s.Loaders[profile] = insns
	}
	s.Manifest = describe(p, uint64(len(file)))
	return s, nil
}
