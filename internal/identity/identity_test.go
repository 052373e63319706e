//go:build linux

package identity

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
)

// loads makes loads of one small object, changed as a test wants it: a
// socket filter, a program that it does not call, and maps of three types.
func load(t *testing.T, change func(*ebpf.CollectionSpec)) *Object {
	t.Helper()
	array := func(contents string, flags uint32) *ebpf.MapSpec {
		return &ebpf.MapSpec{
			Name: "settings", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 2, Flags: flags,
			Contents: []ebpf.MapKV{{Key: uint32(1), Value: []byte(contents)}},
		}
	}
	spec := &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			"settings": array("12345678", 0),
			"other":    {Name: "other", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 2},
			"counts":   {Name: "counts", Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 16},
			"jumps": {
				Name: "jumps", Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 2,
				Contents: []ebpf.MapKV{{Key: uint32(0), Value: "next"}},
			},
		},
		Programs: map[string]*ebpf.ProgramSpec{
			"filter": {
				Name: "filter", Type: ebpf.SocketFilter, License: "GPL",
				Instructions: asm.Instructions{
					asm.LoadMapPtr(asm.R1, 0).WithReference("settings"),
					asm.Mov.Imm(asm.R2, 0),
					asm.StoreMem(asm.RFP, -4, asm.R2, asm.Word),
					asm.Mov.Reg(asm.R2, asm.RFP),
					asm.Add.Imm(asm.R2, -4),
					asm.FnMapLookupElem.Call(),
					asm.Mov.Imm(asm.R0, 7),
					asm.Return(),
				},
			},
			"next": {
				Name: "next", Type: ebpf.SocketFilter, License: "GPL",
				Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
			},
		},
	}
	change(spec)
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer coll.Close()
	d := Descriptors{Programs: make(map[string]int), Maps: make(map[string]int)}
	for name, p := range coll.Programs {
		d.Programs[name] = p.FD()
	}
	for name, m := range coll.Maps {
		d.Maps[name] = m.FD()
	}
	o, err := Read(d, SeesStates() == nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func symbols(t *testing.T) *Symbols {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root loads programs")
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	k, err := ReadSymbols()
	if errors.Is(err, ErrHidden) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	return k
}

// Two loads of the same are the same; each difference alone is seen, and
// its program or map is named.
func TestEveryDifferenceIsSeen(t *testing.T) {
	k := symbols(t)
	base := load(t, func(*ebpf.CollectionSpec) {})
	if list := Compare(base, load(t, func(*ebpf.CollectionSpec) {}), k, nil); len(list) > 0 {
		t.Fatalf("the same, loaded twice: %q", list)
	}
	for want, change := range map[string]func(*ebpf.CollectionSpec){
		`program "filter": instruction `: func(s *ebpf.CollectionSpec) {
			s.Programs["filter"].Instructions[6] = asm.Mov.Imm(asm.R0, 8)
		},
		`program "filter": it has `: func(s *ebpf.CollectionSpec) {
			f := s.Programs["filter"]
			f.Instructions = append(asm.Instructions{asm.Mov.Imm(asm.R3, 0)}, f.Instructions...)
		},
		`program "filter": it uses the maps ["settings"], and ["other"]`: func(s *ebpf.CollectionSpec) {
			s.Programs["filter"].Instructions[0] = asm.LoadMapPtr(asm.R1, 0).WithReference("other")
		},
		`program "next": its tag is `: func(s *ebpf.CollectionSpec) {
			// Dead code: the verifier takes it out, and the dump is the same.
			s.Programs["next"].Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.JEq.Imm(asm.R0, 0, "end"), asm.Mov.Imm(asm.R0, 1), asm.Return().WithSymbol("end")}
		},
		`program "next": GPL is true, and false`: func(s *ebpf.CollectionSpec) { s.Programs["next"].License = "Proprietary" },
		`program "next": name is next, and other`: func(s *ebpf.CollectionSpec) {
			s.Programs["next"].Name = "other"
		},
		`program "filter": type is `: func(s *ebpf.CollectionSpec) {
			s.Programs["filter"].Type, s.Programs["next"].Type = ebpf.SchedCLS, ebpf.SchedCLS
		},
		`map "settings": at key 01000000 it holds `: func(s *ebpf.CollectionSpec) {
			s.Maps["settings"].Contents[0].Value = []byte("12345679")
		},
		`map "jumps": at key 00000000 it holds `:        func(s *ebpf.CollectionSpec) { s.Maps["jumps"].Contents[0].Value = "filter" },
		`map "counts": number of entries is 16, and 17`: func(s *ebpf.CollectionSpec) { s.Maps["counts"].MaxEntries = 17 },
		`map "counts": value size is 8, and 16`:         func(s *ebpf.CollectionSpec) { s.Maps["counts"].ValueSize = 16 },
		`map "counts": key size is 4, and 8`:            func(s *ebpf.CollectionSpec) { s.Maps["counts"].KeySize = 8 },
		`map "counts": flags is 0, and 1`:               func(s *ebpf.CollectionSpec) { s.Maps["counts"].Flags = 1 },
		`map "counts": type is 1, and 9`:                func(s *ebpf.CollectionSpec) { s.Maps["counts"].Type = ebpf.LRUHash },
		`map "counts": name is counts, and c`:           func(s *ebpf.CollectionSpec) { s.Maps["counts"].Name = "c" },
		`map "more": it is in one load only`: func(s *ebpf.CollectionSpec) {
			s.Maps["more"] = s.Maps["counts"].Copy()
		},
		`program "more": it is in one load only`: func(s *ebpf.CollectionSpec) {
			s.Programs["more"] = s.Programs["next"].Copy()
		},
	} {
		list := Compare(base, load(t, change), k, nil)
		if len(list) == 0 || !strings.HasPrefix(list[0], want) {
			t.Errorf("%s is not what is said: %q", want, list)
		}
	}
	// A change that is seen in the state alone.
	if base.Programs["filter"].state == nil {
		t.Log("states are not seen on this kernel")
		return
	}
	for want, change := range map[string]func(*state){
		"expected attach type": func(s *state) { s.expectedAttach++ },
		"sleepable":            func(s *state) { s.sleepable = true },
		"takes fragments":      func(s *state) { s.fragments = true },
	} {
		other := load(t, func(*ebpf.CollectionSpec) {})
		change(other.Programs["filter"].state)
		if list := Compare(base, other, k, nil); len(list) != 1 || !strings.Contains(list[0], `program "filter": `+want) {
			t.Errorf("%s: %q", want, list)
		}
	}
}

// What the kernel says of a program that uses all of it.
func TestStatesAreTheKernels(t *testing.T) {
	symbols(t)
	if err := SeesStates(); err != nil {
		t.Skip(err)
	}
	o := load(t, func(s *ebpf.CollectionSpec) {
		s.Programs["frags"] = &ebpf.ProgramSpec{
			Name: "frags", Type: ebpf.XDP, AttachType: ebpf.AttachXDP, Flags: 1 << 5, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
		}
		s.Programs["sleeps"] = &ebpf.ProgramSpec{
			Name: "sleeps", Type: ebpf.Syscall, Flags: 1 << 4, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		}
	})
	for name, want := range map[string]state{
		"filter": {}, "frags": {expectedAttach: uint32(ebpf.AttachXDP), fragments: true}, "sleeps": {sleepable: true},
	} {
		if have := *o.Programs[name].state; have != want {
			t.Errorf("%s: %+v, not %+v", name, have, want)
		}
	}
}

// Addresses that each load brings along are told from those that are wrong.
func TestOwnAddresses(t *testing.T) {
	const base, timer, other = uint64(0xffffffff81000000), uint64(0xffffffff81200000), uint64(0xffffffff81300000)
	k := &Symbols{base: base, names: map[uint64]string{timer: "bpf_timer_set_callback", other: "bpf_ktime_get_ns"}}
	code := func(address uint64, register byte, function uint64) []Instruction {
		one := []Instruction{
			{Code: codeLoad64, Dst: register, Imm: int32(uint32(address))}, {Imm: int32(address >> 32)},
			{Code: codeCall, Imm: int32(function - base)},
		}
		return append(one, Instruction{Code: 0x95})
	}
	twice := func(a, b uint64) []Instruction { return append(code(a, 3, timer)[:3], code(b, 3, timer)...) }
	const x, y, z = 0xffffc90000001000, 0xffffc90000002000, 0xffffc90000003000
	for name, c := range map[string]struct {
		a, b []Instruction
		same bool
	}{
		"the same":                  {code(x, 3, timer), code(x, 3, timer), true},
		"another address":           {code(x, 3, timer), code(y, 3, timer), true},
		"always the other address":  {twice(x, x), twice(y, y), true},
		"two for one":               {twice(x, x), twice(y, z), false},
		"one for two":               {twice(x, y), twice(z, z), false},
		"no address":                {code(x, 3, timer), code(4096, 3, timer), false},
		"another register":          {code(x, 4, timer), code(y, 4, timer), false},
		"another function":          {code(x, 3, other), code(y, 3, other), false},
		"functions that differ":     {code(x, 3, timer), code(x, 3, other), false},
		"no call":                   {code(x, 3, timer)[:2], code(y, 3, timer)[:2], false},
		"registers that differ":     {code(x, 3, timer), code(x, 4, timer), false},
		"a kernel variable by type": {[]Instruction{{Code: codeLoad64, Src: sourceType, Imm: 1}, {}}, []Instruction{{Code: codeLoad64, Src: sourceType, Imm: 2}, {}}, false},
	} {
		list := Compare(&Object{Programs: map[string]*Program{"p": {Instructions: c.a}}}, &Object{Programs: map[string]*Program{"p": {Instructions: c.b}}}, k, nil)
		if (len(list) == 0) != c.same {
			t.Errorf("%s: %q", name, list)
		}
	}
}
