package corpus

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestObjectsAreFoundInsidePrograms puts two fixtures into something like a
// program, with remains of a third that has no end.
func TestObjectsAreFoundInsidePrograms(t *testing.T) {
	var objects [][]byte
	for _, name := range []string{"xdpcount", "fileguard"} {
		object, err := os.ReadFile(filepath.Join(testdata, name+".bpf.o"))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	program := []byte("\x7fELF\x02\x01\x01 a program")
	program = append(program, objects[0]...)
	program = append(program, "between"...)
	program = append(program, objects[1]...)
	program = append(program, objects[0][:200]...)
	found := embedded(program)
	if len(found) != 2 || !bytes.Equal(found[0], objects[0]) || !bytes.Equal(found[1], objects[1]) {
		t.Errorf("found %d objects", len(found))
	}
	if found := embedded(objects[0]); len(found) != 0 {
		t.Errorf("an object has %d in it", len(found))
	}
}
