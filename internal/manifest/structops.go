package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// Kinds of members, as CO-RE tells them apart. Before the kind of what an array
// holds stands "array of ".
const (
	MemberFunction = "function" // a pointer to one
	MemberPointer  = "pointer"  // any other
	MemberInteger  = "integer"
	MemberEnum     = "enum"
	MemberFloat    = "float"
	MemberStruct   = "struct" // or a union
)

// Limits of struct_ops maps.
const (
	maxLayouts     = 32
	maxMembers     = 128
	maxStructOps   = 64 << 10 // bytes of a value
	structOpsFlags = 1 << 13  // BPF_F_LINK
)

// StructOps says which structure of functions a struct_ops map is, and how
// the kernels that the object is made for lay it out. The loader program finds
// out which layout it meets, and refuses to load where it is none of them.
type StructOps struct {
	Type string `json:"type"` // of the structure, as the kernel calls it: "tcp_congestion_ops"
	Link int    `json:"link"` // the slot of the link by which the kernel uses it
	// Functions are the members that programs fill in, by name.
	Functions []Function `json:"functions"`
	Layouts   []Layout   `json:"layouts"` // in the order in which they are tried
}

// Function is a member of a structure and the program behind it.
type Function struct {
	Member  string `json:"member"`
	Program string `json:"program"`
}

// Layout is a structure on some kernels.
type Layout struct {
	Size       uint32   `json:"size"`       // bytes of the structure
	ValueSize  uint32   `json:"valueSize"`  // of the map's value, which holds it
	DataOffset uint32   `json:"dataOffset"` // of the structure in the value
	Members    []Member `json:"members"`    // in the structure's order
}

// Member is one member of a structure.
type Member struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Offset uint32 `json:"offset"` // bytes, in the structure
	Size   uint32 `json:"size"`   // bytes
}

// check looks at what a struct_ops map says of itself.
func (s *StructOps) check(m *Map) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("map %s: struct_ops: %s", m.Name, fmt.Sprintf(format, args...))
	}
	if err := checkText("type of map "+m.Name, s.Type, maxName); err != nil {
		return err
	}
	if m.KeySize != 4 || m.MaxEntries != 1 || m.Flags != structOpsFlags || m.Frozen || m.PerCPU || m.InnerMap != nil {
		return wrong("it is not one value that a link attaches")
	}
	if len(s.Layouts) == 0 || len(s.Layouts) > maxLayouts {
		return wrong("%d layouts, 1 to %d are allowed", len(s.Layouts), maxLayouts)
	}
	for i, f := range s.Functions {
		if i > 0 && s.Functions[i-1].Member >= f.Member {
			return wrong("member %s stands twice or out of order", f.Member)
		}
	}
	largest := uint32(0)
	for i := range s.Layouts {
		l := &s.Layouts[i]
		if l.DataOffset < 8 || l.ValueSize > maxStructOps || uint64(l.DataOffset)+uint64(l.Size) > uint64(l.ValueSize) {
			return wrong("a structure of %d bytes at %d of %d", l.Size, l.DataOffset, l.ValueSize)
		}
		if err := l.checkMembers(); err != nil {
			return wrong("%v", err)
		}
		for _, f := range s.Functions {
			if !slices.ContainsFunc(l.Members, func(m Member) bool { return m.Name == f.Member && m.Kind == MemberFunction }) {
				return wrong("a layout has no function %s", f.Member)
			}
		}
		largest = max(largest, l.ValueSize)
	}
	if m.ValueSize != largest {
		return wrong("a value of %d bytes, the largest has %d", m.ValueSize, largest)
	}
	return nil
}

// checkFunctions sees to it that what a structure calls is there.
func (m *Manifest) checkFunctions(p *Map) error {
	if p.StructOps == nil {
		return nil
	}
	for _, f := range p.StructOps.Functions {
		if !slices.ContainsFunc(m.Programs, func(prog Program) bool {
			return prog.Name == f.Program && prog.Type == bpfabi.ProgramStructOps.String() && !prog.Optional
		}) {
			return fmt.Errorf("map %s calls %s, which is no struct_ops program of the object", p.Name, f.Program)
		}
	}
	return nil
}

func (l *Layout) checkMembers() error {
	if len(l.Members) == 0 || len(l.Members) > maxMembers {
		return fmt.Errorf("%d members, 1 to %d are allowed", len(l.Members), maxMembers)
	}
	end := uint64(0)
	for _, m := range l.Members {
		if err := checkText("member", m.Name, maxName); err != nil {
			return err
		}
		element, _ := strings.CutPrefix(m.Kind, "array of ")
		if !slices.Contains([]string{MemberFunction, MemberPointer, MemberInteger, MemberEnum, MemberFloat, MemberStruct}, element) {
			return fmt.Errorf("member %s has the unknown kind %q", m.Name, m.Kind)
		}
		if m.Kind == MemberFunction && m.Size != 8 || uint64(m.Offset) < end || uint64(m.Offset)+uint64(m.Size) > uint64(l.Size) {
			return fmt.Errorf("member %s does not lie where it could", m.Name)
		}
		end = uint64(m.Offset) + uint64(m.Size)
	}
	return nil
}

// Takes reports whether a map that the kernel gave may be this one by the size
// of its value: that of a struct_ops map is one of its layouts'.
func (p *Map) Takes(valueSize uint32) bool {
	if p.StructOps == nil {
		return valueSize == p.ValueSize
	}
	return slices.ContainsFunc(p.StructOps.Layouts, func(l Layout) bool { return l.ValueSize == valueSize })
}

// isStructOps reports whether a map's type is struct_ops.
func (p *Map) isStructOps() bool { return p.Type == bpfabi.MapStructOps.String() }

func (s *StructOps) clone() *StructOps {
	c := *s
	c.Functions, c.Layouts = slices.Clone(s.Functions), slices.Clone(s.Layouts)
	for i := range c.Layouts {
		c.Layouts[i].Members = slices.Clone(c.Layouts[i].Members)
	}
	return &c
}
