package kernelbtf

import (
	"encoding/binary"
	"slices"
	"testing"
)

// typ adds a type whose third word is a size or another type's number.
func (b *builder) typ(kind, vlen int, name string, ref uint32, body ...uint32) *builder {
	b.add(kind, vlen, name, body...)
	binary.NativeEndian.PutUint32(b.types[len(b.types)-4*len(body)-4:], ref)
	return b
}

// keyed are the types of a map whose value is a structure with an integer, a
// pointer that is tagged, an array and an enumeration; the value is type 9.
// change alters one of them.
func keyed(change func(name string, words []uint32) (string, []uint32)) *builder {
	b := new(builder)
	for _, t := range []struct {
		kind, vlen int
		name       string
		words      []uint32 // the third word and the body
	}{
		{kindInt, 0, "u32", []uint32{4, 32}},
		{kindInt, 0, "u64", []uint32{8, 64}},
		{KindTypedef, 0, "count_t", []uint32{2}},
		{KindStruct, 0, "task_struct", []uint32{0}},
		{kindTypeTag, 0, "kptr", []uint32{4}},
		{kindPtr, 0, "", []uint32{5}},
		{kindArray, 0, "", []uint32{0, 1, 1, 3}},
		{kindEnum, 1, "mode", []uint32{4, 0, 7}}, // the name of its value is set below
		{KindStruct, 4, "value", []uint32{40, 0, 3, 0, 0, 6, 64, 0, 7, 128, 0, 8, 256}},
	} {
		words := slices.Clone(t.words)
		switch t.name {
		case "mode":
			words[1] = b.name("FAST")
		case "value":
			for i, name := range []string{"count", "task", "list", "mode"} {
				words[1+3*i] = b.name(name)
			}
		}
		name := t.name
		if change != nil {
			name, words = change(name, words)
		}
		b.typ(t.kind, t.vlen, name, words[0], words[1:]...)
	}
	return b
}

func mapTypes(t *testing.T, b *builder, key, value uint32) [32]byte {
	t.Helper()
	types, err := Parse(b.bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := types.MapTypes(key, value)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// What is in a map means the same only if its types do: every part of them
// counts but how they are numbered and spelled.
func TestMapTypesTellTypesApart(t *testing.T) {
	want := mapTypes(t, keyed(nil), 1, 9)
	if got := mapTypes(t, keyed(nil).typ(kindConst, 0, "", 9), 1, 10); got != want {
		t.Error("a const value is another one")
	}
	if got := mapTypes(t, keyed(func(name string, words []uint32) (string, []uint32) {
		if name == "count_t" {
			name = "other_t"
		}
		return name, words
	}), 1, 9); got != want {
		t.Error("a typedef's name counts")
	}
	at := func(of string, word int, value uint32) func(string, []uint32) (string, []uint32) {
		return func(name string, words []uint32) (string, []uint32) {
			if name == of {
				words[word] = value
			}
			return name, words
		}
	}
	named := func(of, to string) func(string, []uint32) (string, []uint32) {
		return func(name string, words []uint32) (string, []uint32) {
			if name == of {
				name = to
			}
			return name, words
		}
	}
	for what, change := range map[string]func(string, []uint32) (string, []uint32){
		"key's size":           at("u32", 0, 2),
		"key's sign":           at("u32", 1, 1<<24|32),
		"member's name":        at("value", 1, 1),
		"member's place":       at("value", 3, 32),
		"member's type":        at("value", 2, 1),
		"structure's size":     at("value", 0, 48),
		"structure's name":     named("value", "other"),
		"what a pointer is to": named("task_struct", "cred"),
		"what a pointer's tag": named("kptr", "kptr_untrusted"),
		"enumerator's value":   at("mode", 2, 8),
		"length of an array": func(name string, words []uint32) (string, []uint32) {
			if len(words) == 4 {
				words[3] = 4
			}
			return name, words
		},
		"a typedef's other type": at("count_t", 0, 1),
	} {
		if got := mapTypes(t, keyed(change), 1, 9); got == want {
			t.Errorf("%s does not count", what)
		}
	}
	if mapTypes(t, keyed(nil), 9, 1) == want || mapTypes(t, keyed(nil), 0, 9) == want {
		t.Error("keys and values are alike")
	}
	if mapTypes(t, keyed(nil), 0, 0) != NoMapTypes() {
		t.Error("no types are some")
	}
}

func TestMapTypesThatAreRefused(t *testing.T) {
	for what, b := range map[string]*builder{
		"a structure in itself":   new(builder).typ(KindStruct, 1, "s", 8, 0, 1, 0),
		"an array of itself":      new(builder).typ(kindArray, 0, "", 0, 1, 1, 2),
		"a typedef of itself":     new(builder).typ(KindTypedef, 0, "t", 1),
		"a tag of itself":         new(builder).typ(kindPtr, 0, "", 2).typ(kindTypeTag, 0, "t", 2),
		"a type that is not":      new(builder).typ(kindPtr, 0, "", 7),
		"a function":              new(builder).typ(KindFunc, 1, "f", 0),
		"a name that is not":      new(builder).typ(KindStruct, 1, "s", 8, 4711, 0, 0),
		"too many within another": wide(),
	} {
		types, err := Parse(b.bytes(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := types.MapTypes(0, 1); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	types, err := Parse(keyed(nil).bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := types.MapTypes(1, 10); err == nil {
		t.Error("the type after the last one is taken")
	}
}

// wide are structures that each hold the next one ten times.
func wide() *builder {
	b := new(builder)
	for i := range uint32(20) {
		var members []uint32
		for range 10 {
			members = append(members, 0, i+2, 0)
		}
		b.typ(KindStruct, 10, "s", 8, members...)
	}
	return b.typ(kindInt, 0, "int", 4, 32)
}
