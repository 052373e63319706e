package skeleton

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// A program may name a function that is called when it throws an exception. No
// instruction refers to it, so that nothing that follows references finds it: a
// tag of the program's function has its name, and the kernel wants it behind the
// rest of the program (kernel/bpf/verifier.c, check_subprogs).

// callbackTag begins such a tag.
const callbackTag = "exception_callback:"

// callback is such a function, with those that it calls.
type callback struct {
	name         string
	instructions asm.Instructions
}

// readCallbacks finds the callbacks of an object. cilium/ebpf takes functions of
// .text for parts of programs and keeps none that no program calls: it is shown
// the object once more, with that section under another name.
func (o *object) readCallbacks(f *elf.File, file []byte) error {
	wanted, err := o.callbackNames()
	if err != nil || len(wanted) == 0 {
		return err
	}
	spec, err := functionsOf(f, file)
	if err != nil {
		return err
	}
	o.callbacks = make(map[string]callback)
	for program, name := range wanted {
		p, ok := spec.Programs[name]
		if _, known := o.funcs[name]; !ok || !known {
			return &UnsupportedError{Name: fmt.Sprintf("program %q", program), Why: fmt.Sprintf("its callback for exceptions, %q, is no function of .text", name)}
		}
		o.callbacks[program] = callback{name, p.Instructions}
	}
	return nil
}

// callbackNames reads the tags: of a program's own function, and one of it.
func (o *object) callbackNames() (map[string]string, error) {
	if o.btf == nil {
		return nil, nil
	}
	names := make(map[string]string)
	for i := range o.btf.types {
		t := &o.btf.types[i]
		if t.kind() != kindDeclTag || int64(t.size) >= int64(len(o.btf.types)) {
			continue
		}
		name, ok := strings.CutPrefix(o.btf.string(t.name), callbackTag)
		function := &o.btf.types[t.size]
		if !ok || function.kind() != kindFunc || !bytes.Equal(t.tail, []byte{0xff, 0xff, 0xff, 0xff}) { // of an argument
			continue
		}
		program := o.btf.string(function.name)
		if _, twice := names[program]; twice || name == "" {
			return nil, &UnsupportedError{Name: fmt.Sprintf("program %q", program), Why: "it names several callbacks for exceptions, or one without a name"}
		}
		names[program] = name
	}
	return names, nil
}

// functionsOf reads the functions of .text as if they were programs.
func functionsOf(f *elf.File, file []byte) (*ebpf.CollectionSpec, error) {
	section := slices.IndexFunc(f.Sections, func(sec *elf.Section) bool { return sec.Name == ".text" })
	if section < 0 {
		return nil, &UnsupportedError{Name: "object", Why: "it names callbacks for exceptions and has no section .text"}
	}
	// What was shown before may have other names of sections.
	shownBefore, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("parse object: %w", err)
	}
	s := &shown{file: file, f: shownBefore}
	if err := s.nameSection(section, "functions"); err != nil {
		return nil, err
	}
	if err := s.setSection(s.nameTable(), s.names); err != nil {
		return nil, err
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(s.file))
	if err != nil {
		return nil, asUnsupported(err, f)
	}
	return spec, nil
}
