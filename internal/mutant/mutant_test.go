package mutant

import (
	"bytes"
	"debug/elf"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
)

func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/*.bpf.o")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	objects := make(map[string][]byte)
	for _, path := range paths {
		if objects[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return objects
}

// What is taken apart and put together again is the same object: a mutant
// differs by its changes and by nothing else.
func TestNothingElseChanges(t *testing.T) {
	for name, object := range fixtures(t) {
		f, err := parse(object)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again := f.bytes()
		before, err := elf.NewFile(bytes.NewReader(object))
		if err != nil {
			t.Fatal(err)
		}
		after, err := elf.NewFile(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(before.Sections) != len(after.Sections) {
			t.Fatalf("%s: %d sections, and %d", name, len(before.Sections), len(after.Sections))
		}
		for i, s := range before.Sections {
			a, b := s.SectionHeader, after.Sections[i].SectionHeader
			a.Offset, b.Offset = 0, 0
			if a != b {
				t.Errorf("%s: section %d: %+v, and %+v", name, i, a, b)
			}
			if s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_NULL {
				continue
			}
			x, err := s.Data()
			if err != nil {
				t.Fatal(err)
			}
			if y, err := after.Sections[i].Data(); err != nil || !bytes.Equal(x, y) {
				t.Errorf("%s: section %s has other bytes: %v", name, s.Name, err)
			}
		}
	}
}

// Most mutants must get past the ELF reader, or they try nothing.
func TestMutantsAreReadable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var made, elves, specs, same int
	for name, object := range fixtures(t) {
		for range 20 {
			how := make([]byte, 64)
			for i := range how {
				how[i] = byte(random.Uint32())
			}
			mutant := Mutate(object, how)
			if !bytes.Equal(mutant, Mutate(object, how)) {
				t.Fatalf("%s: the script %x gives two mutants", name, how)
			}
			made++
			if _, err := elf.NewFile(bytes.NewReader(mutant)); err == nil {
				elves++
			}
			if _, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(mutant)); err == nil {
				specs++
			}
			if bytes.Equal(mutant, object) {
				same++
			}
		}
	}
	t.Logf("of %d mutants, %d are ELF files, %d are objects, %d are as before", made, elves, specs, same)
	if elves < made*8/10 || specs < made/2 || same > made/10 {
		t.Error("the mutants are not worth trying")
	}
}
