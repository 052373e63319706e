//go:build linux

package identity

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf/btf"
)

// Descriptors are a loaded object's, by the names that the object gives.
type Descriptors struct {
	Programs, Maps map[string]int
}

// Object is what a load put into the kernel. It stays good when the load is
// gone.
type Object struct {
	Programs map[string]*Program
	Maps     map[string]*Map
}

// Program is one program.
type Program struct {
	Type         uint32
	Name         string // the kernel's
	Tag          [8]byte
	Given        bool // the tag is that of the signed instructions: set by who checked it
	GPL          bool
	TargetBTF    uint32 // id of the types that have its attach target
	TargetType   uint32 // number of the attach target there
	Maps         []string
	Instructions []Instruction
	state        *state
}

// Map is one map.
type Map struct {
	Type, KeySize, ValueSize, MaxEntries, Flags uint32
	Extra                                       uint64
	Name                                        string // the kernel's
	Frozen                                      bool
	Key, Value                                  string // its types, empty without
	KernelType                                  uint32 // of struct_ops
	Contents                                    map[string]string
}

// names are a loaded object's own names, by the kernel's ids.
type names struct {
	programs, maps map[uint32]string
}

func (n *names) program(id uint32) (string, error) {
	if name, ok := n.programs[id]; ok {
		return name, nil
	}
	return "", fmt.Errorf("program %d is none of the object", id)
}

func (n *names) mapName(id uint32) (string, error) {
	if name, ok := n.maps[id]; ok {
		return name, nil
	}
	return "", fmt.Errorf("map %d is none of the object", id)
}

// Read reads a loaded object back. With states it also reads what only an
// iterator can see, which takes a kernel that loads tracing programs.
func Read(d Descriptors, withStates bool) (*Object, error) {
	o := &Object{Programs: make(map[string]*Program), Maps: make(map[string]*Map)}
	ids := &names{programs: make(map[uint32]string), maps: make(map[uint32]string)}
	programs, maps := make(map[string]*progInfo), make(map[string]*mapInfo)
	for name, fd := range d.Programs {
		p, err := readProgram(fd)
		if err != nil {
			return nil, fmt.Errorf("read program %q: %w", name, err)
		}
		programs[name], ids.programs[p.id] = p, name
	}
	for name, fd := range d.Maps {
		m, err := readMap(fd)
		if err != nil {
			return nil, fmt.Errorf("read map %q: %w", name, err)
		}
		maps[name], ids.maps[m.id] = m, name
	}
	var all map[uint32]state
	if withStates {
		var err error
		if all, err = states(); err != nil {
			return nil, err
		}
	}
	for name, info := range programs {
		p := &Program{
			Type: info.typ, Name: info.name, Tag: info.tag, GPL: info.gpl, TargetBTF: info.targetBTF, TargetType: info.targetType,
		}
		var err error
		if p.Instructions, err = instructions(info.xlated, ids); err != nil {
			return nil, fmt.Errorf("read program %q: %w", name, err)
		}
		for _, id := range info.maps {
			used, err := ids.mapName(id)
			if err != nil {
				return nil, fmt.Errorf("read program %q: %w", name, err)
			}
			p.Maps = append(p.Maps, used)
		}
		slices.Sort(p.Maps)
		if withStates {
			s, ok := all[info.id]
			if !ok {
				return nil, fmt.Errorf("read program %q: the kernel does not list it", name)
			}
			p.state = &s
		}
		o.Programs[name] = p
	}
	for name, info := range maps {
		m := &Map{
			Type: info.typ, KeySize: info.keySize, ValueSize: info.valueSize, MaxEntries: info.maxEntries, Flags: info.flags,
			Extra: info.extra, Name: info.name, Frozen: info.frozen, KernelType: info.kernelType,
		}
		var err error
		if m.Key, m.Value, err = types(info); err != nil {
			return nil, fmt.Errorf("read types of map %q: %w", name, err)
		}
		if m.Contents, err = contents(d.Maps[name], info, ids); err != nil {
			return nil, fmt.Errorf("read map %q: %w", name, err)
		}
		o.Maps[name] = m
	}
	return o, nil
}

// types spells a map's types out: each load brings its own numbers.
func types(m *mapInfo) (key, value string, err error) {
	if m.btf == 0 || m.kernelType != 0 {
		return "", "", nil
	}
	handle, err := btf.NewHandleFromID(btf.ID(m.btf))
	if err != nil {
		return "", "", err
	}
	defer handle.Close()
	spec, err := handle.Spec(nil)
	if err != nil {
		return "", "", err
	}
	spell := func(id uint32) (string, error) {
		if id == 0 {
			return "", nil
		}
		t, err := spec.TypeByID(btf.TypeID(id))
		if err != nil {
			return "", err
		}
		return spellType(t, 0), nil
	}
	if key, err = spell(m.keyType); err != nil {
		return "", "", err
	}
	value, err = spell(m.valueType)
	return key, value, err
}

// spellType writes a type with its members, as deep as values go: what a
// pointer leads to is named alone.
func spellType(t btf.Type, depth int) string {
	if depth > 32 {
		return "..."
	}
	next := func(t btf.Type) string { return spellType(t, depth+1) }
	members := func(kind, name string, size uint32, list []btf.Member) string {
		s := fmt.Sprintf("%s %s[%d]{", kind, name, size)
		for _, m := range list {
			s += fmt.Sprintf("%s:%s@%d/%d;", m.Name, next(m.Type), m.Offset, m.BitfieldSize)
		}
		return s + "}"
	}
	switch t := t.(type) {
	case *btf.Struct:
		return members("struct", t.Name, t.Size, t.Members)
	case *btf.Union:
		return members("union", t.Name, t.Size, t.Members)
	case *btf.Datasec:
		s := fmt.Sprintf("section %s[%d]{", t.Name, t.Size)
		for _, v := range t.Vars {
			s += fmt.Sprintf("%s@%d/%d;", next(v.Type), v.Offset, v.Size)
		}
		return s + "}"
	case *btf.Var:
		return "var " + t.Name + ":" + next(t.Type)
	case *btf.Array:
		return fmt.Sprintf("%s[%d]", next(t.Type), t.Nelems)
	case *btf.Pointer:
		return "*" + t.Target.TypeName()
	case *btf.Typedef:
		return t.Name + "=" + next(t.Type)
	case *btf.Volatile:
		return "volatile " + next(t.Type)
	case *btf.Const:
		return "const " + next(t.Type)
	case *btf.TypeTag:
		return "tag " + t.Value + " " + next(t.Type)
	case *btf.Int:
		return fmt.Sprintf("%s[%d]%v", t.Name, t.Size, t.Encoding)
	case *btf.Enum:
		return fmt.Sprintf("enum %s[%d]", t.Name, t.Size)
	default:
		return fmt.Sprintf("%T %s", t, t.TypeName())
	}
}
