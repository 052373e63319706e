package skeleton

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// declared are tunables of the fixture settings, of every kind.
func declared() []Tunable {
	return []Tunable{
		{"target_pid", "0..4194304"}, {"threshold_ns", "1..18446744073709551614"}, {"cgroup_id", ""}, {"mode", ""}, {"comm", ""}, {"broken", ""},
		{"limits.depth", "1|2|4"}, {"limits.bias", ""}, {"limits.weights[1]", "5..4294967295"}, {"slow.max_entries", "1..1024"},
	}
}

func settings(t testing.TB) []byte {
	t.Helper()
	return fixtures(t, "settings.bpf.o")["settings"]
}

func TestTunablesAreDescribed(t *testing.T) {
	s, err := Generate(settings(t), Options{Tunables: declared()})
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) *string { return &s }
	want := []manifest.Tunable{
		{Name: "broken", Map: ".rodata", Kind: "bool", Size: 1, Default: text("false")},
		{Name: "cgroup_id", Map: ".rodata", Kind: "unsigned", Size: 8, Minimum: "0", Maximum: "18446744073709551615", Default: text("0")},
		{Name: "comm", Map: ".rodata", Kind: "string", Size: 16, Default: text("")},
		{Name: "limits.bias", Map: ".data", Kind: "signed", Size: 1, Minimum: "-128", Maximum: "127", Default: text("-3")},
		{Name: "limits.depth", Map: ".data", Kind: "unsigned", Size: 2, Choices: []manifest.Choice{{Name: "1"}, {Name: "2"}, {Name: "4"}}, Default: text("4")},
		{Name: "limits.weights[1]", Map: ".data", Kind: "unsigned", Size: 4, Minimum: "5", Maximum: "4294967295"},
		{Name: "mode", Map: ".rodata", Kind: "enum", Size: 4, Choices: []manifest.Choice{{Name: "COUNT", Value: "0"}, {Name: "LIST", Value: "1"}, {Name: "BOTH", Value: "7"}}, Default: text("COUNT")},
		{Name: "slow.max_entries", Map: "slow", Kind: "unsigned", Size: 4, Minimum: "1", Maximum: "1024", Default: text("2")},
		{Name: "target_pid", Map: ".rodata", Kind: "signed", Size: 4, Minimum: "0", Maximum: "4194304", Default: text("0")},
		{Name: "threshold_ns", Map: ".rodata", Kind: "unsigned", Size: 8, Minimum: "1", Maximum: "18446744073709551614", Default: text("1")},
	}
	have := s.Manifest.Tunables
	if len(have) != len(want) {
		t.Fatalf("%d tunables: %+v", len(have), have)
	}
	var base uint32
	for _, g := range s.Manifest.Globals {
		if g.Name == "limits" {
			base = g.Offset
		}
	}
	for i := range want {
		w := want[i]
		w.Context = have[i].Context
		w.Offset = have[i].Offset
		if !reflect.DeepEqual(have[i], w) {
			t.Errorf("got  %+v\nwant %+v", have[i], w)
		}
		for _, g := range s.Manifest.Globals {
			if g.Name == w.Name && (g.Offset != have[i].Offset || g.Map != w.Map || g.Size != w.Size) {
				t.Errorf("%s is at %d of %s and not at %d of %s", w.Name, have[i].Offset, w.Map, g.Offset, g.Map)
			}
		}
	}
	for name, off := range map[string]uint32{"limits.depth": base, "limits.bias": base + 2, "limits.weights[1]": base + 8} {
		for _, tu := range have {
			if tu.Name == name && tu.Offset != off {
				t.Errorf("%s is at %d, not %d", name, tu.Offset, off)
			}
		}
	}
	// What a manifest says generates the same again, in any order.
	again, err := Generate(settings(t), OptionsOf(&s.Manifest))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Metadata, s.Metadata) || !reflect.DeepEqual(again.Loaders, s.Loaders) || s.Manifest.DiffersFromGenerated(&again.Manifest) != "" {
		t.Error("the manifest's tunables give another skeleton")
	}
}

// Whoever declares something else than was meant is told, by name.
func TestDeclarationsThatAreRefused(t *testing.T) {
	object := settings(t)
	for _, d := range []Tunable{
		{"", ""}, {"nope", ""}, {"LICENSE", ""}, {"limits", ""}, {"limits.", ""}, {"limits.nope", ""}, {"limits.depth.x", ""}, {"limits[0]", ""}, {"limits.spare", ""},
		{"limits.weights", ""}, {"limits.weights[3]", ""}, {"limits.weights[-1]", ""}, {"limits.weights[01]", ""}, {"limits.weights[1", ""}, {"limits.weights[1]x", ""},
		{"limits.weights[]", ""}, {"limits.weights[4294967297]", ""}, {".depth", ""}, {"[0]", ""}, {"target_pid[0]", ""}, {"target_pid.x", ""},
		{"label", ""}, {"pointer", ""}, {"began", ""}, {"before", ""},
		{".rodata.max_entries", ""}, {".bss.max_entries", ""}, {"nope.max_entries", ""}, {"slow.max_entries", "0..5"}, {"slow.max_entries", "1..4294967296"}, {"slow.max_entries", "0"}, {"slow.max_entries", "a"},
		{"target_pid", "5..4"}, {"target_pid", "0..2147483648"}, {"target_pid", "-2147483649..0"}, {"target_pid", ".."}, {"target_pid", "1.."}, {"target_pid", "..1"}, {"target_pid", "1..2..3"},
		{"target_pid", "x"}, {"target_pid", "1|"}, {"target_pid", "1|1"}, {"target_pid", "1|0x1"}, {"target_pid", "4294967296"}, {"limits.depth", "-1..1"}, {"limits.depth", "65536"},
		{"threshold_ns", "0..18446744073709551616"}, {"mode", "COUNT|count"}, {"mode", "0"}, {"mode", "0..7"}, {"broken", "true"}, {"broken", "0..1"},
		{"comm", "sixteen bytes..."}, {"comm", "a|a"}, {"comm", "a\x00b"}, {"comm", "a\n"},
	} {
		_, err := Generate(object, Options{Tunables: []Tunable{d}})
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), d.Name) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	for _, pair := range [][2]string{{"mode", "mode"}, {"limits.weights[0]", "limits.weights[0]"}} {
		if _, err := Generate(object, Options{Tunables: []Tunable{{Name: pair[0]}, {Name: pair[1]}}}); err == nil {
			t.Errorf("%s and %s", pair[0], pair[1])
		}
	}
	var most []Tunable
	for range 300 {
		most = append(most, Tunable{Name: "comm"})
	}
	if _, err := Generate(object, Options{Tunables: most}); err == nil {
		t.Error("one variable 300 times")
	}
}

// Two names of the same bytes would let the second undo what was checked of the
// first: members of a union, or a variable and a part of it.
func TestTunablesThatShareBytes(t *testing.T) {
	o, err := parseObject(settings(t))
	if err != nil {
		t.Fatal(err)
	}
	number := &btf.Int{Name: "u32", Size: 4}
	half := &btf.Int{Name: "u16", Size: 2}
	o.spec.Variables["limits"].Type.Type = &btf.Union{Size: 16, Members: []btf.Member{
		{Name: "whole", Type: number}, {Name: "low", Type: half}, {Name: "high", Type: half, Offset: 16}, {Name: "next", Type: number, Offset: 32},
	}}
	for _, c := range []struct {
		names []string
		good  bool
	}{
		{[]string{"limits.whole", "limits.low"}, false}, {[]string{"limits.whole", "limits.high"}, false},
		{[]string{"limits.low", "limits.high"}, true}, {[]string{"limits.whole", "limits.next"}, true},
	} {
		_, err := newPlan(o, Options{Tunables: []Tunable{{Name: c.names[0]}, {Name: c.names[1]}}})
		if unsupported, ok := errors.AsType[*UnsupportedError](err); c.good != (err == nil) || !c.good && !ok {
			t.Errorf("%q: %v, %v", c.names, err, unsupported)
		}
	}
}

// A size that the object leaves open is one that the machine has to set.
func TestASizeThatTheObjectLeavesOpen(t *testing.T) {
	o, err := parseObject(settings(t))
	if err != nil {
		t.Fatal(err)
	}
	o.spec.Maps["slow"].MaxEntries = 0
	if _, err := newPlan(o, Options{}); err == nil {
		t.Error("a map without a size was planned")
	}
	p, err := newPlan(o, Options{Tunables: []Tunable{{Name: "slow.max_entries"}}})
	if err != nil {
		t.Fatal(err)
	}
	if p.tunables[0].Default != nil {
		t.Errorf("its default is %s", *p.tunables[0].Default)
	}
}

// Declaring tunables changes nothing else of the loader programs: the rules of
// every loader program hold.
func TestLoadersWithTunablesKeepTheRules(t *testing.T) {
	s, err := Generate(settings(t), Options{Tunables: declared()})
	if err != nil {
		t.Fatal(err)
	}
	for profile, insns := range s.Loaders {
		references := 0
		for i := 0; i < len(insns); i += 8 {
			if insns[i] == 0x18 {
				if insns[i+1]>>4 != 0 {
					references++
				}
				i += 8
			}
		}
		if references != 1 {
			t.Errorf("profile %s refers to its map %d times", profile, references)
		}
		for end := 8; end < len(insns); end += 8 {
			if !jumpsOut(insns[:end]) {
				t.Fatalf("profile %s: the first %d instructions stay within themselves", profile, end/8)
			}
		}
		// The first command comes after the last value was read.
		first := bytes.Index(insns, []byte{0x85, 0, 0, 0, helperSysBPF, 0, 0, 0})
		for _, tu := range s.Manifest.Tunables {
			if at := lastRead(insns, tu.Context); at < 0 || at > first {
				t.Errorf("profile %s reads %s at %d, after the first command at %d", profile, tu.Name, at, first)
			}
		}
	}
}

// lastRead is where a program last reads the context at an offset, -1 if it
// never does.
func lastRead(insns []byte, off uint32) int {
	last := -1
	for i := 0; i+8 <= len(insns); i += 8 {
		if insns[i]&7 == 1 && insns[i+1]>>4 == byte(regCtx) && uint32(insns[i+2])|uint32(insns[i+3])<<8 == off {
			last = i
		}
		if insns[i] == 0x18 {
			i += 8
		}
	}
	return last
}

func FuzzTunable(f *testing.F) {
	object := settings(f)
	o, err := parseObject(object)
	if err != nil {
		f.Fatal(err)
	}
	for _, d := range declared() {
		f.Add(d.Name + "=" + d.Allowed)
	}
	f.Add("comm=a|b")
	f.Add("mode=BOTH|LIST")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseTunable(s)
		if err != nil {
			return
		}
		p, err := newPlan(o, Options{Tunables: []Tunable{d}})
		if err != nil {
			return
		}
		m := describe(p, 1)
		// What is declared is what the manifest takes, and gives the same again.
		if tu := &m.Tunables[0]; tu.CheckAllowed() != nil || tu.Default != nil && tu.CheckDefault() != nil {
			t.Errorf("%q: %+v", s, tu)
		}
		again, err := newPlan(o, OptionsOf(&m))
		if err != nil || !reflect.DeepEqual(again.tunables[0].Tunable, p.tunables[0].Tunable) {
			t.Errorf("%q: %v", s, err)
		}
	})
}
