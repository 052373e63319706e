package skeleton

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/mutant"
)

// maxSeed is the size of an object up to which mutants of it are worth their
// time.
const maxSeed = 256 << 10

// seeds are the fixtures, and the objects of others where they are in the cache,
// by name. Their order is the same as long as the objects are.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	objects := fixtures(t, "*.bpf.o")
	maps.Copy(objects, fixtures(t, filepath.Join("refused", "*.bpf.o")))
	cache := os.Getenv("TBPF_CACHE")
	if dir, err := os.UserCacheDir(); cache == "" && err == nil {
		cache = filepath.Join(dir, "tbpf")
	}
	for _, pattern := range []string{"tools/xdp-tools/usr/lib/*/bpf/*.o", "tools/xdp-tools/usr/lib/bpf/*.o", "corpus/*/*.o", "tools/*/objects/*.o"} {
		paths, err := filepath.Glob(filepath.Join(cache, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			object, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			objects[filepath.Base(path)] = object
		}
	}
	var list [][]byte
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		if len(objects[name]) <= maxSeed {
			list = append(list, objects[name])
		}
	}
	return list
}

// FuzzGenerate changes bytes of the file.
func FuzzGenerate(f *testing.F) {
	for _, object := range seeds(f) {
		if len(object) < 8<<10 {
			f.Add(object)
		}
	}
	f.Fuzz(func(t *testing.T, object []byte) { wellFormed(t, object, Options{}) })
}

// FuzzGenerateMutants changes what the file is made of: sections, symbols,
// relocations, types, instructions.
func FuzzGenerateMutants(f *testing.F) {
	objects := seeds(f)
	for i := range objects {
		f.Add(uint16(i), []byte{byte(i % 4), byte(i), byte(i * 7), byte(i * 31), byte(i * 3), 0, byte(i)})
	}
	f.Fuzz(func(t *testing.T, which uint16, how []byte) {
		if object := mutant.Mutate(objects[int(which)%len(objects)], how); object != nil {
			wellFormed(t, object, Options{})
		}
	})
}
