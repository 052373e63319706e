package object

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gate.sum says of which sources the committed object was made.
func TestTheObjectIsOfItsSources(t *testing.T) {
	sum, err := os.ReadFile("gate.sum")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for line := range strings.Lines(string(sum)) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		path := filepath.Join("..", "..", name)
		if !strings.Contains(name, "/") {
			path = name
		}
		listed[filepath.Base(name)] = true
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		have := sha256.Sum256(data)
		if hex.EncodeToString(have[:]) != digest {
			t.Errorf("%s is not what gate.sum says: run make generate", name)
		}
	}
	sources, err := filepath.Glob("*.[ch]")
	if err != nil || len(sources) < 8 {
		t.Fatalf("%q, %v", sources, err)
	}
	for _, name := range append(sources, "gate.bpf.o") {
		if !listed[name] {
			t.Errorf("%s is not in gate.sum: run make generate", name)
		}
	}
}

// The pinned compiler makes the committed object again, bit for bit.
func TestTheObjectIsReproducible(t *testing.T) {
	if _, err := exec.LookPath("clang-19"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("../../scripts/generate-gate.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	again, err := os.ReadFile(filepath.Join(dir, "gate.bpf.o"))
	if err != nil || !bytes.Equal(again, Bytes()) {
		t.Errorf("another object (%d bytes, committed %d): %v", len(again), len(Bytes()), err)
	}
}
