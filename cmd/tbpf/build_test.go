package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheBuildIsReproducible builds from sources in two directories, the second
// time without anything in the cache: the bytes are the same.
func TestTheBuildIsReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles everything twice")
	}
	here, err := filepath.Abs(projectDir)
	if err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "elsewhere")
	copySources(t, there, here)
	one, two := release(t, here, ""), release(t, there, t.TempDir())
	if !bytes.Equal(one, two) {
		t.Errorf("two builds of the same sources differ: %d and %d bytes", len(one), len(two))
	}
	for _, path := range []string{here, there} {
		if bytes.Contains(one, []byte(path)) {
			t.Errorf("the binary has the path %s", path)
		}
	}
}

// copySources copies what a build reads.
func copySources(t *testing.T, to, from string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, dir := range strings.Fields(string(out)) {
		entries, err := filepath.Glob(filepath.Join(dir, "*.*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, entries...)
	}
	for _, file := range append(files, filepath.Join(from, "go.mod"), filepath.Join(from, "go.sum")) {
		rel, err := filepath.Rel(from, file)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(rel)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, rel), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// release builds as the README says. Another cache than Go's own makes it
// compile everything.
func release(t *testing.T, dir, cache string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "tbpf")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "./cmd/tbpf")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+cache)
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestWhatTheCommandLinks keeps start-up fast and the attack surface small:
// libraries of sigstore that pull in cloud providers or an HTTP server must
// not come in with the one that is wanted.
func TestWhatTheCommandLinks(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		for _, no := range []string{
			"net/http", "runtime/cgo", "html/template",
			"google.golang.org/", "cloud.google.com/", "github.com/aws/", "github.com/Azure/", "github.com/hashicorp/",
			"github.com/sigstore/rekor", "github.com/spf13/cobra/doc", "testing",
		} {
			if dep == no || strings.HasSuffix(no, "/") && strings.HasPrefix(dep, no) {
				t.Errorf("tbpf links %s", dep)
			}
		}
	}
}
