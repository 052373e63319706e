package kernelbtf

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
)

// builder makes BTF for tests.
type builder struct {
	types, strings []byte
	base           int // length of the base's strings
}

func (b *builder) name(s string) uint32 {
	if len(b.strings) == 0 && b.base == 0 {
		b.strings = []byte{0}
	}
	off := b.base + len(b.strings)
	b.strings = append(append(b.strings, s...), 0)
	return uint32(off)
}

func (b *builder) add(kind, vlen int, name string, body ...uint32) *builder {
	for _, w := range append([]uint32{b.name(name), uint32(kind)<<24 | uint32(vlen), 0}, body...) {
		b.types = binary.NativeEndian.AppendUint32(b.types, w)
	}
	return b
}

func (b *builder) bytes() []byte {
	out := []byte{0x9f, 0xeb, 1, 0} // little-endian, as every machine that tests run on
	for _, w := range []int{headerSize, 0, len(b.types), len(b.types), len(b.strings)} {
		out = binary.NativeEndian.AppendUint32(out, uint32(w))
	}
	return append(append(out, b.types...), b.strings...)
}

// sample has a struct with two members, a function and a typedef.
func sample() *builder {
	b := new(builder)
	b.add(1, 0, "int", 32)
	b.add(KindStruct, 2, "bpf_map", b.name("ops"), 1, 0, b.name("excl"), 1, 32)
	b.add(KindFunc, 1, "bpf_lsm_file_open")
	return b.add(KindTypedef, 0, "btf_trace_sched_switch")
}

// A function is found if it is the one of its name, and no other thing is.
func TestFunctionsAreFoundByName(t *testing.T) {
	types, err := Parse(sample().add(KindFunc, 1, "twice").add(KindFunc, 1, "twice").add(KindFunc, 1, "thrice").bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint32{"bpf_lsm_file_open": 3, "thrice": 7, "twice": 0, "bpf_map": 0, "absent": 0, "": 0} {
		if id, err := types.Function(name); err != nil || id != want {
			t.Errorf("%q: %d, %v; want %d", name, id, err, want)
		}
	}
}

func TestFindAndHasMember(t *testing.T) {
	types, err := Parse(sample().bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[uint32]string{1: "int", 2: "bpf_map", 3: "bpf_lsm_file_open", 4: "btf_trace_sched_switch"} {
		ty, ok, err := types.Find(id)
		if err != nil || !ok || types.Name(ty) != want {
			t.Errorf("type %d: %q, %v", id, types.Name(ty), ok)
		}
	}
	for _, id := range []uint32{0, 5, 1 << 31} {
		if ty, ok, err := types.Find(id); ok || err != nil {
			t.Errorf("type %d is %q, %v", id, types.Name(ty), err)
		}
	}
	for name, want := range map[[2]string]bool{{"bpf_map", "excl"}: true, {"bpf_map", "ops"}: true,
		{"bpf_map", "sha"}: false, {"bpf_ma", "excl"}: false, {"int", "excl"}: false} {
		if got, err := types.HasMember(name[0], name[1]); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestModulesContinueTheKernel(t *testing.T) {
	base, err := Parse(sample().bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	module := &builder{base: len(base.strings)}
	module.add(KindFunc, 1, "module_function")
	types, err := Parse(module.bytes(), base)
	if err != nil {
		t.Fatal(err)
	}
	if ty, ok, _ := types.Find(5); !ok || types.Name(ty) != "module_function" || ty.Kind != KindFunc {
		t.Errorf("type 5: %q, %v", types.Name(ty), ok)
	}
	if ty, ok, _ := types.Find(3); !ok || types.Name(ty) != "bpf_lsm_file_open" {
		t.Errorf("type 3: %q, %v", types.Name(ty), ok)
	}
}

func TestMalformedIsRefused(t *testing.T) {
	good := sample().bytes()
	change := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	for name, b := range map[string][]byte{
		"empty":           nil,
		"short":           good[:headerSize-1],
		"magic":           change(0, 0),
		"version":         change(2, 2),
		"header length":   change(4, 0xff, 0xff, 0xff, 0xff),
		"short header":    change(4, 8, 0, 0, 0),
		"types offset":    change(8, 0xff, 0xff, 0xff, 0xff),
		"types length":    change(12, 0xff, 0xff, 0xff, 0xff),
		"strings length":  change(20, 0xff, 0xff, 0xff, 0xff),
		"no strings":      change(20, 0, 0, 0, 0),
		"kind 0":          change(headerSize+7, 0),
		"kind 20":         change(headerSize+7, 20),
		"long member":     change(headerSize+16+4, 0xff, 0xff),
		"unended strings": change(len(good)-1, 'x'),
		"cut":             good[:len(good)-1],
	} {
		types, err := Parse(b, nil)
		if err == nil {
			_, _, err = types.Find(1 << 31)
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if types != nil {
			if _, err := types.HasMember("x", "y"); err == nil {
				t.Errorf("%s: no error from HasMember", name)
			}
			if _, err := Parse(b, types); err == nil {
				t.Errorf("%s: no error as a base", name)
			}
		}
	}
}

// The machine's own kernel, if it shows its types.
func TestThisKernel(t *testing.T) {
	b, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Skip(err)
	}
	types, err := Parse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries, err1 := types.HasMember("bpf_map", "max_entries")
	none, err2 := types.HasMember("bpf_map", "no_such_member")
	if !entries || none || err1 != nil || err2 != nil {
		t.Errorf("struct bpf_map is not what it is: %v, %v", err1, err2)
	}
	n, err := types.count()
	t.Logf("%d types, %v", n, err)
}

func FuzzParse(f *testing.F) {
	f.Add(sample().bytes())
	f.Add([]byte{})
	f.Add(keyed(nil).bytes())
	f.Add(new(builder).add(3, 0, "array", 1, 2, 3).add(6, 1, "enum", 1, 2).bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		types, err := Parse(b, nil)
		if err != nil {
			return
		}
		for id := range uint32(100) {
			if ty, ok, _ := types.Find(id); ok {
				types.Name(ty)
			}
		}
		_, _ = types.HasMember("bpf_map", "excl")
		_, _ = types.MapTypes(1, 2)
		_, _ = Parse(b, types)
	})
}

func BenchmarkThisKernel(b *testing.B) {
	data, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		types, err := Parse(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := types.HasMember("bpf_map", "max_entries"); err != nil {
			b.Fatal(err)
		}
	}
}
