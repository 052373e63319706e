package mutation

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const project = "../.."

// TestNoCheckIsDeletedUnseen deletes each check of the list in turn (A35). With
// TBPF_LONG=1 all of them, otherwise those of which that is quickly seen.
func TestNoCheckIsDeletedUnseen(t *testing.T) {
	long := os.Getenv("TBPF_LONG") != ""
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatal(err)
	}
	for _, c := range checks() {
		name := c.attack + " " + c.file + ": " + strings.TrimSpace(strings.SplitN(c.old, "\n", 2)[0])
		switch {
		case !c.quick && !long:
			continue
		case c.root && os.Geteuid() != 0:
			t.Logf("%s: only root can see it", name)
			continue
		}
		t.Run(name, func(t *testing.T) { deleted(t, c, mutate(t, c)) })
	}
}

// mutate returns a file without the check.
func mutate(t *testing.T, c check) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(project, c.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), c.old); n != 1 {
		t.Fatalf("%s: the check stands there %d times and not once: %s", c.file, n, c.old)
	}
	return []byte(strings.Replace(string(data), c.old, c.new, 1))
}

// deleted runs the tests without the check, and wants one to fail.
func deleted(t *testing.T, c check, changed []byte) {
	dir := t.TempDir()
	file, err := filepath.Abs(filepath.Join(project, c.file))
	if err != nil {
		t.Fatal(err)
	}
	source, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: source}})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{source: changed, overlay: list} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"test", "-count=1", "-vet=off", "-timeout=5m", "-overlay=" + overlay, "-run=" + c.run, "./" + c.pkg}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = project
	// What the tests of this one's tests need is decided there.
	cmd.Env = append(os.Environ(), "TBPF_LONG=", "CI=")
	out, err := cmd.CombinedOutput()
	switch said := string(out); {
	case err == nil:
		t.Errorf("no test misses it: go %s\n%s", strings.Join(args, " "), said)
	case strings.Contains(said, "[build failed]") || strings.Contains(said, "[setup failed]"):
		t.Errorf("it does not compile without: %s", said)
	case !strings.Contains(said, "--- FAIL: ") && !strings.Contains(said, "panic: "):
		t.Errorf("no test failed, but go test did: %s", said)
	}
}
