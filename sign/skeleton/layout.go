package skeleton

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// KernelTypes are the types of one kernel, of which struct_ops needs the
// layout of the structures that it fills in.
type KernelTypes struct{ spec *btf.Spec }

// ParseKernelTypes reads the BTF of a kernel, as /sys/kernel/btf/vmlinux has it.
func ParseKernelTypes(raw []byte) (*KernelTypes, error) {
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("not the BTF of a kernel: %w", err)
	}
	return &KernelTypes{spec}, nil
}

// valuePrefix begins the name of the structure that is the value of a
// struct_ops map: what the kernel keeps of its own, and the operations.
const valuePrefix = "bpf_struct_ops_"

// layout is how this kernel lays a structure of operations out; nil if it has
// none of that name.
func (k *KernelTypes) layout(name string) (*manifest.Layout, error) {
	var value, ops *btf.Struct
	if k.spec.TypeByName(name, &ops) != nil || k.spec.TypeByName(valuePrefix+name, &value) != nil {
		return nil, nil
	}
	l := &manifest.Layout{Size: ops.Size, ValueSize: value.Size}
	for _, m := range value.Members {
		if s, ok := btf.UnderlyingType(m.Type).(*btf.Struct); ok && s.Name == name {
			l.DataOffset = m.Offset.Bytes()
		}
	}
	if l.DataOffset == 0 || l.DataOffset+l.Size > l.ValueSize {
		return nil, fmt.Errorf("struct %s does not hold struct %s behind what is the kernel's", value.Name, name)
	}
	for _, m := range ops.Members {
		size, err := btf.Sizeof(m.Type)
		if err != nil || m.Name == "" || m.BitfieldSize != 0 || m.Offset%8 != 0 {
			return nil, fmt.Errorf("struct %s has a member %q whose place has no name or is no whole number of bytes", name, m.Name)
		}
		kind, err := memberKind(m.Type, 0)
		if err != nil {
			return nil, fmt.Errorf("struct %s, member %q: %w", name, m.Name, err)
		}
		l.Members = append(l.Members, manifest.Member{Name: m.Name, Kind: kind, Offset: m.Offset.Bytes(), Size: uint32(size)})
	}
	return l, nil
}

// arrayOf begins the kind of a member that is an array.
const arrayOf = "array of "

// memberKind tells types apart as CO-RE does when it looks for a member.
func memberKind(t btf.Type, depth int) (string, error) {
	if depth > 8 {
		return "", fmt.Errorf("arrays of arrays, eight deep")
	}
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Pointer:
		if _, ok := btf.UnderlyingType(t.Target).(*btf.FuncProto); ok {
			return manifest.MemberFunction, nil
		}
		return manifest.MemberPointer, nil
	case *btf.Int:
		return manifest.MemberInteger, nil
	case *btf.Enum:
		return manifest.MemberEnum, nil
	case *btf.Float:
		return manifest.MemberFloat, nil
	case *btf.Struct, *btf.Union:
		return manifest.MemberStruct, nil
	case *btf.Array:
		kind, err := memberKind(t.Type, depth+1)
		if strings.HasPrefix(kind, arrayOf) {
			return kind, err // CO-RE looks at what is in the innermost
		}
		return arrayOf + kind, err
	default:
		return "", fmt.Errorf("its type is %v", t)
	}
}

// probe is a program that the kernel takes if its structure is the one of a
// layout, and refuses otherwise: for every member CO-RE asks for offset and
// size, and if one is another, the program goes where it reads a register that
// nobody has written. It is never run.
type probe struct {
	types  []byte // its BTF
	insns  []byte
	funcs  []byte
	relocs []byte
}

// Kinds of CO-RE relocations (include/uapi/linux/bpf.h, enum bpf_core_relo_kind).
const (
	relocByteOffset = 0
	relocByteSize   = 1
	relocTypeSize   = 9
)

// newProbe makes the probe of a layout.
func newProbe(name string, l *manifest.Layout) *probe {
	b := newTypeBuilder()
	function := b.function("layout")
	ops := b.structure(name, l)
	p := new(probe)
	var checks []check
	checks = append(checks, check{relocTypeSize, "0", l.Size})
	for i, m := range l.Members {
		access := fmt.Sprintf("0:%d", i)
		checks = append(checks, check{relocByteOffset, access, m.Offset}, check{relocByteSize, access, m.Size})
	}
	p.insns, p.relocs = b.checks(ops, checks)
	p.funcs = put32(nil, 0, function)
	p.types = b.encode()
	return p
}
