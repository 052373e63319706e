package manifest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// settable is a manifest with tunables of every kind.
func settable() *manifest.Manifest {
	m := full()
	m.Maps[0].ValueSize, m.Maps[0].Contents.Length = 64, 64
	at := m.Tunables[0].Context
	m.Maps = append(m.Maps, manifest.Map{Name: "ring", KernelName: "ring", Type: "ringbuf", Slot: int(at-loadctx.OffSlots) / 4})
	at += 8
	zero, red := "0", "RED"
	m.Tunables = []manifest.Tunable{
		{Name: "b", Map: ".rodata", Kind: manifest.TunableBool, Offset: 0, Size: 1},
		{Name: "color", Map: ".rodata", Kind: manifest.TunableEnum, Offset: 4, Size: 4, Default: &red,
			Choices: []manifest.Choice{{Name: "RED", Value: "-1"}, {Name: "BLUE", Value: "4294967295"}}},
		{Name: "pid", Map: ".rodata", Kind: manifest.TunableSigned, Offset: 8, Size: 4, Minimum: "-2", Maximum: "100", Default: &zero},
		{Name: "ring.max_entries", Map: "ring", Kind: manifest.TunableUnsigned, Size: 4, Minimum: "1", Maximum: "4294967295"},
		{Name: "step", Map: ".rodata", Kind: manifest.TunableUnsigned, Offset: 24, Size: 2, Choices: []manifest.Choice{{Name: "8"}, {Name: "16"}}},
		{Name: "text", Map: ".rodata", Kind: manifest.TunableString, Offset: 32, Size: 10, Default: new(string)},
		{Name: "wide", Map: ".rodata", Kind: manifest.TunableUnsigned, Offset: 16, Size: 8, Minimum: "0", Maximum: "18446744073709551615"},
		{Name: "word", Map: ".rodata", Kind: manifest.TunableString, Offset: 42, Size: 4, Choices: []manifest.Choice{{Name: "on"}, {Name: "off"}}},
	}
	for i := range m.Tunables {
		m.Tunables[i].Context = at
		at += m.Tunables[i].Room()
	}
	m.Context = at
	return m
}

func valid(t *testing.T) *manifest.Manifest {
	t.Helper()
	m := settable()
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTunableValues(t *testing.T) {
	m := valid(t)
	set := map[string]string{"b": "true", "ring.max_entries": "8192", "pid": "-2", "step": "0x10", "word": "off", "wide": "18446744073709551615"}
	got, err := m.TunableValues(set)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, n := range []uint64{1, 1<<64 - 1, 1<<64 - 2, 8192, 16} {
		want = binary.NativeEndian.AppendUint64(want, n)
	}
	want = append(want, make([]byte, 16)...)
	want = append(want, "\xff\xff\xff\xff\xff\xff\xff\xffoff\x00\x00\x00\x00\x00"...)
	if string(got) != string(want) || uint32(len(got)) != m.Context-m.Tunables[0].Context {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	if m.Maps[len(m.Maps)-1].MaxEntries != 8192 {
		t.Errorf("%d entries", m.Maps[len(m.Maps)-1].MaxEntries)
	}
}

// Each of these is refused before the kernel sees it, by name.
func TestTunableValuesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, value, reason string }{
		{"b", "1", "tunable-range"}, {"b", "", "tunable-range"}, {"b", "TRUE", "tunable-range"},
		{"color", "GREEN", "tunable-range"}, {"color", "0", "tunable-range"}, {"color", "red", "tunable-range"},
		{"pid", "-3", "tunable-range"}, {"pid", "101", "tunable-range"}, {"pid", "4294967296", "tunable-range"}, {"pid", "+1", "tunable-range"},
		{"pid", "010", "tunable-range"}, {"pid", "1_0", "tunable-range"}, {"pid", " 1", "tunable-range"}, {"pid", "", "tunable-range"}, {"pid", "-", "tunable-range"}, {"pid", "0x", "tunable-range"}, {"pid", "--1", "tunable-range"},
		{"pid", "18446744073709551614", "tunable-range"}, {"pid", "-9223372036854775809", "tunable-range"},
		{"step", "9", "tunable-range"}, {"step", "65544", "tunable-range"}, {"step", "-8", "tunable-range"},
		{"text", "ten bytes.", "tunable-range"}, {"text", "a\x00b", "tunable-range"},
		{"word", "of", "tunable-range"}, {"word", "off\x00", "tunable-range"},
		{"wide", "18446744073709551616", "tunable-range"}, {"wide", "-0", "tunable-range"},
		{"ring.max_entries", "0", "tunable-range"}, {"ring.max_entries", "2048", "tunable-range"}, {"ring.max_entries", "5000", "tunable-range"},
		{"deny", "1", "tunable-undeclared"}, {"", "1", "tunable-undeclared"}, {"PID", "1", "tunable-undeclared"},
	} {
		set := map[string]string{"b": "true", "ring.max_entries": "4096", "step": "8", "word": "on", "wide": "0"}
		set[c.name] = c.value
		_, err := valid(t).TunableValues(set)
		var refused *manifest.TunableError
		if !errors.As(err, &refused) || refused.Name != c.name || refused.Reason != c.reason {
			t.Errorf("%s=%q: %v", c.name, c.value, err)
		}
	}
	_, err := valid(t).TunableValues(map[string]string{"b": "true", "ring.max_entries": "4096", "word": "on", "wide": "0"})
	var refused *manifest.TunableError
	if !errors.As(err, &refused) || refused.Name != "step" || refused.Reason != "tunable-not-set" {
		t.Errorf("a tunable without a default that is not set: %v", err)
	}
}

// Each change alone makes a declaration that nobody may sign or load.
func TestTunablesThatAreRefused(t *testing.T) {
	text := func(s string) *string { return &s }
	for what, change := range map[string]func(m *manifest.Manifest, t []manifest.Tunable){
		"name empty":           func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Name = "" },
		"name with newline":    func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Name = "a\nb" },
		"order":                func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Name = "z" },
		"twice":                func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Name = t[1].Name },
		"map unknown":          func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Map = "other" },
		"map without contents": func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Map = "outer" },
		"kind unknown":         func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Kind = "float" },
		"outside the map":      func(m *manifest.Manifest, t []manifest.Tunable) { t[6].Offset = 60 },
		"far outside the map":  func(m *manifest.Manifest, t []manifest.Tunable) { t[6].Offset = 1<<32 - 4 },
		"contents shorter":     func(m *manifest.Manifest, t []manifest.Tunable) { m.Maps[0].ValueSize = 128 },
		"overlap":              func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Offset = 6 },
		"overlap of one byte":  func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Offset = 41 },
		"the same bytes":       func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Offset = 4 },
		"size of a bool":       func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Size = 2 },
		"size of an integer":   func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Size = 3 },
		"size 0":               func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Size = 0 },
		"size of a text":       func(m *manifest.Manifest, t []manifest.Tunable) { t[5].Size = 1 },
		"context elsewhere":    func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Context += 8 },
		"context before":       func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Context -= 8 },
		"context is the slots": func(m *manifest.Manifest, t []manifest.Tunable) {
			m.Tunables = t[:1]
			t[0].Context = 32
			m.Context = 40
		},
		"context with more": func(m *manifest.Manifest, t []manifest.Tunable) { m.Context += 8 },
		"context with less": func(m *manifest.Manifest, t []manifest.Tunable) { m.Context -= 8 },
		"context not aligned": func(m *manifest.Manifest, t []manifest.Tunable) {
			m.Tunables = t[7:]
			t[7].Context += 4
			m.Context += 4
		},
		"range turned around":    func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Minimum, t[2].Maximum = "5", "4" },
		"range wider than type":  func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Maximum = "2147483648" },
		"range below type":       func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Minimum = "-2147483649" },
		"range half":             func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Minimum = "" },
		"range not plain":        func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Maximum = "0x10" },
		"range with minus zero":  func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Minimum = "-0" },
		"range of unsigned":      func(m *manifest.Manifest, t []manifest.Tunable) { t[6].Minimum = "-1" },
		"no range":               func(m *manifest.Manifest, t []manifest.Tunable) { t[6].Minimum, t[6].Maximum = "", "" },
		"range and choices":      func(m *manifest.Manifest, t []manifest.Tunable) { t[4].Minimum, t[4].Maximum = "1", "2" },
		"range of a bool":        func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Minimum, t[0].Maximum = "0", "1" },
		"choices of a bool":      func(m *manifest.Manifest, t []manifest.Tunable) { t[0].Choices = []manifest.Choice{{Name: "true"}} },
		"range of an enum":       func(m *manifest.Manifest, t []manifest.Tunable) { t[1].Minimum, t[1].Maximum = "0", "1" },
		"range of a text":        func(m *manifest.Manifest, t []manifest.Tunable) { t[5].Minimum, t[5].Maximum = "0", "1" },
		"no choices of an enum":  func(m *manifest.Manifest, t []manifest.Tunable) { t[1].Choices = nil },
		"choice without value":   func(m *manifest.Manifest, t []manifest.Tunable) { t[1].Choices[0].Value = "" },
		"choice with value":      func(m *manifest.Manifest, t []manifest.Tunable) { t[4].Choices[0].Value = "8" },
		"choice too large":       func(m *manifest.Manifest, t []manifest.Tunable) { t[4].Choices[0].Name = "65536" },
		"choice not plain":       func(m *manifest.Manifest, t []manifest.Tunable) { t[4].Choices[0].Name = "0x8" },
		"choice twice":           func(m *manifest.Manifest, t []manifest.Tunable) { t[4].Choices[0].Name = "16" },
		"choice empty":           func(m *manifest.Manifest, t []manifest.Tunable) { t[7].Choices[0].Name = "" },
		"choice too long":        func(m *manifest.Manifest, t []manifest.Tunable) { t[7].Choices[0].Name = "four" },
		"choice with bar":        func(m *manifest.Manifest, t []manifest.Tunable) { t[7].Choices[0].Name = "a|b" },
		"65 choices":             func(m *manifest.Manifest, t []manifest.Tunable) { t[4].Choices = many(65) },
		"default not allowed":    func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Default = text("101") },
		"default not plain":      func(m *manifest.Manifest, t []manifest.Tunable) { t[2].Default = text("0x5") },
		"default no choice":      func(m *manifest.Manifest, t []manifest.Tunable) { t[1].Default = text("GREEN") },
		"default with control":   func(m *manifest.Manifest, t []manifest.Tunable) { t[5].Default = text("a\x1b") },
		"default too long":       func(m *manifest.Manifest, t []manifest.Tunable) { t[5].Default = text("0123456789") },
		"size of a map: 0":       func(m *manifest.Manifest, t []manifest.Tunable) { t[3].Minimum = "0" },
		"size of a map: offset":  func(m *manifest.Manifest, t []manifest.Tunable) { t[3].Offset = 4 },
		"size of a map: 8 bytes": func(m *manifest.Manifest, t []manifest.Tunable) { t[3].Size = 8 },
		"size of a map: signed": func(m *manifest.Manifest, t []manifest.Tunable) {
			t[3].Kind = manifest.TunableSigned
			t[3].Maximum = "9"
		},
		"size of a map: per CPU": func(m *manifest.Manifest, t []manifest.Tunable) { t[3].Map, t[3].Name = "events", "events.max_entries" },
		"size of a map: choice 0": func(m *manifest.Manifest, t []manifest.Tunable) {
			t[3].Minimum, t[3].Maximum, t[3].Choices = "", "", []manifest.Choice{{Name: "0"}}
		},
	} {
		m := valid(t)
		change(m, m.Tunables)
		if err := m.Validate(); err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	m := valid(t)
	m.Tunables = nil
	if err := m.Validate(); err != nil { // a context may have slots that nobody has
		t.Error(err)
	}
	for i := range 257 {
		m.Tunables = append(m.Tunables, manifest.Tunable{Name: fmt.Sprintf("v%04d", i), Map: ".rodata", Kind: manifest.TunableBool, Size: 1, Context: m.Context + uint32(8*i), Offset: uint32(i)})
	}
	m.Context += 257 * 8
	m.Maps[0].ValueSize, m.Maps[0].Contents.Length = 1024, 1024
	if err := m.Validate(); err == nil || !strings.Contains(err.Error(), "257 tunables") {
		t.Error(err)
	}
}

func many(n int) []manifest.Choice {
	var list []manifest.Choice
	for i := range n {
		list = append(list, manifest.Choice{Name: fmt.Sprint(i + 1)})
	}
	return list
}

func TestAllowedIsWhatWasDeclared(t *testing.T) {
	m := valid(t)
	for i, want := range []string{"", "RED|BLUE", "-2..100", "1..4294967295", "8|16", "", "0..18446744073709551615", "on|off"} {
		if got := m.Tunables[i].Allowed(); got != want {
			t.Errorf("%s: %q, want %q", m.Tunables[i].Name, got, want)
		}
	}
}

// A value that is taken is within what was declared, whatever the text.
func FuzzTunableValue(f *testing.F) {
	for _, s := range []string{"", "0", "-2", "100", "101", "0x10", "true", "RED", "on", "4294967296", "18446744073709551615", "-9223372036854775808", "0000", "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		m := settable()
		for i := range m.Tunables {
			tu := &m.Tunables[i]
			b, err := tu.Encode(value)
			if err != nil {
				var refused *manifest.TunableError
				if !errors.As(err, &refused) {
					t.Errorf("%T", err)
				}
				continue
			}
			if uint32(len(b)) != tu.Room() {
				t.Fatalf("%s=%q: %d bytes", tu.Name, value, len(b))
			}
			n := binary.NativeEndian.Uint64(b)
			switch tu.Name {
			case "b":
				if n > 1 {
					t.Errorf("%q: %d", value, n)
				}
			case "pid":
				if int64(n) < -2 || int64(n) > 100 {
					t.Errorf("%q: %d", value, n)
				}
			case "step":
				if n != 8 && n != 16 {
					t.Errorf("%q: %d", value, n)
				}
			case "text":
				if string(b[:len(value)]) != value || len(value) > 9 || strings.Trim(string(b[len(value):]), "\x00") != "" {
					t.Errorf("%q: %x", value, b)
				}
			}
		}
	})
}
