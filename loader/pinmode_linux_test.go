package loader

import (
	"os"
	"path/filepath"
	"testing"
)

// A map whose signer lets others open it can be got at by them, and nothing
// else of the object can.
func TestModesOfPinsAreTheManifests(t *testing.T) {
	for _, mode := range []string{"", "0644"} {
		dir := filepath.Join(newBPFFS(t), "pins")
		x := newMini()
		x.m.Maps[0].Mode = mode
		l, err := loadMini(t, x, Options{Pin: dir})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string][2]os.FileMode{
			".": {0o711, 0o711}, "mini": {0o700, 0o711}, "mini/maps": {0o700, 0o711}, "mini/programs": {0o700, 0o700},
			"mini/maps/counts": {0o600, 0o644}, "mini/programs/count": {0o600, 0o600},
		} {
			info, err := os.Stat(filepath.Join(dir, path))
			if err != nil {
				t.Fatal(err)
			}
			expected := want[0]
			if mode != "" {
				expected = want[1]
			}
			if info.Mode().Perm() != expected {
				t.Errorf("mode %q: %s has %o, not %o", mode, path, info.Mode().Perm(), expected)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
