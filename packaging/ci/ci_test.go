// Package ci tests what other projects' pipelines use: the steps that sign are
// run here as they would be there.
package ci

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// builtTBPF builds tbpf once a test.
func builtTBPF(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "tbpf")
	run(t, ".", nil, "go", "build", "-o", out, "../../cmd/tbpf")
	return out
}

// run runs a command with more environment, and returns what it printed.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := attempt(dir, env, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func attempt(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// project is a directory with an object, its source, and a key in the
// environment, as a pipeline has it from a secret.
func project(t *testing.T, tbpf string) (dir string, env []string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"xdpcount.bpf.o", "xdpcount.bpf.c"} {
		data, err := os.ReadFile("../../testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, []string{"TBPF_PASSWORD=secret of the test"}, tbpf, "keygen", "--name", "release")
	key := filepath.Join(dir, "release.key")
	data, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil { // it is in the environment alone
		t.Fatal(err)
	}
	return dir, []string{"TBPF_SIGNING_KEY=" + string(data), "TBPF_PASSWORD=secret of the test", "TBPF_PROGRAM=" + tbpf, "TBPF_CERT=release.crt"}
}

// checkResults verifies what a pipeline would upload.
func checkResults(t *testing.T, tbpf, dir, out string, want map[string]string) {
	t.Helper()
	run(t, dir, nil, tbpf, "verify", filepath.Join(out, "xdpcount.bpf.tbpf"), "--keyring", "release.crt", "--reproduce")
	var inspected struct {
		Manifest struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"manifest"`
	}
	if err := json.Unmarshal([]byte(run(t, dir, nil, tbpf, "inspect", filepath.Join(out, "xdpcount.bpf.tbpf"), "--json")), &inspected); err != nil {
		t.Fatal(err)
	}
	for key, value := range want {
		if got := inspected.Manifest.Annotations[key]; got != value {
			t.Errorf("annotation %s is %q, want %q", key, got, value)
		}
	}
	if m := inspected.Manifest.Annotations["material.xdpcount.bpf.c"]; want["material"] != "none" && (!strings.HasPrefix(m, "sha256:") || len(m) != len("sha256:")+64) {
		t.Errorf("the material is %q", m)
	}
	provenance, err := os.ReadFile(filepath.Join(dir, out, "xdpcount.bpf.provenance.json"))
	if err != nil || !strings.Contains(string(provenance), `"payloadType":"application/vnd.in-toto+json"`) {
		t.Errorf("%v: %.100s", err, provenance)
	}
}

// shellSteps are the `run: |` and `- |` blocks of a YAML file, in order.
func shellSteps(t *testing.T, file string) (steps []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	indent := -1
	for line := range strings.Lines(string(data)) {
		depth := len(line) - len(strings.TrimLeft(line, " "))
		text := strings.TrimSpace(line)
		switch {
		case indent >= 0 && (depth > indent || text == ""):
			steps[len(steps)-1] += line
			continue
		case text == "run: |" || text == "- |":
			indent = depth
			steps = append(steps, "")
			continue
		}
		indent = -1
	}
	return steps
}

func TestTheStepsOfTheAction(t *testing.T) {
	tbpf := builtTBPF(t)
	dir, env := project(t, tbpf)
	here, err := filepath.Abs("github")
	if err != nil {
		t.Fatal(err)
	}
	steps := shellSteps(t, "github/action.yml")
	if len(steps) != 2 {
		t.Fatalf("%d steps", len(steps))
	}
	bin := t.TempDir()
	run(t, dir, []string{"ACTION=" + here, "BIN=" + bin}, "sh", "-e", "-c", steps[0])
	env = append(env, "ACTION="+here, "TBPF_PROGRAM="+filepath.Join(bin, "tbpf"), "OBJECTS=xdpcount.bpf.o", "TBPF_KEY=env://TBPF_SIGNING_KEY", "TBPF_OUT=out", "TBPF_VERSION=7",
		"TBPF_KEYRING=", "TBPF_POLICY=", "TBPF_BUILDER=https://ci.example/workflows", "TBPF_SOURCE=git+https://ci.example/project@refs/tags/v1", "TBPF_REVISION=1234",
		"TBPF_INVOCATION=https://ci.example/runs/9", "TBPF_MATERIALS=xdpcount.bpf.c\n")
	out := run(t, dir, env, "sh", "-e", "-c", steps[1])
	if strings.Contains(out, "PRIVATE KEY") || strings.Contains(out, "secret of the test") {
		t.Errorf("the step prints secrets:\n%s", out)
	}
	checkResults(t, tbpf, dir, "out", map[string]string{
		"builder.id": "https://ci.example/workflows", "source.uri": "git+https://ci.example/project@refs/tags/v1",
		"source.revision": "1234", "build.invocation": "https://ci.example/runs/9",
	})
	// A policy that refuses what was signed fails the step.
	if err := os.WriteFile(filepath.Join(dir, "policy.toml"), []byte("program-types = [\"lsm\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := attempt(dir, append(env, "TBPF_POLICY=policy.toml"), "sh", "-e", "-c", steps[1]); err == nil {
		t.Errorf("a step whose result the policy refuses passes:\n%s", out)
	}
	for _, bad := range []string{"OBJECTS=", "OBJECTS=none.bpf.o", "TBPF_KEY=", "TBPF_CERT=", "TBPF_PASSWORD=wrong", "TBPF_MATERIALS=none.c"} {
		if out, err := attempt(dir, append(env, bad), "sh", "-e", "-c", steps[1]); err == nil {
			t.Errorf("%s: the step passes:\n%s", bad, out)
		}
	}
}

func TestTheStepsOfGitLab(t *testing.T) {
	tbpf := builtTBPF(t)
	dir, env := project(t, tbpf)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// The sources are there already: what is cloned otherwise.
	sources := filepath.Join(dir, ".tbpf-sources")
	if err := os.Mkdir(sources, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != ".git" {
			if err := os.Symlink(filepath.Join(root, entry.Name()), filepath.Join(sources, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	steps := shellSteps(t, "gitlab.yml")
	if len(steps) != 2 {
		t.Fatalf("%d steps", len(steps))
	}
	env = append(env, "TBPF_SOURCES=.tbpf-sources", "TBPF_OBJECTS=xdpcount.bpf.o", "TBPF_KEY=env://TBPF_SIGNING_KEY", "TBPF_OUT=tbpf-out", "TBPF_MATERIALS=xdpcount.bpf.c", "TBPF_REVISION=1234")
	run(t, dir, env, "sh", "-e", "-c", steps[0]+steps[1])
	checkResults(t, tbpf, dir, "tbpf-out", map[string]string{"source.revision": "1234", "source.uri": ""})
}

func TestTheMakeInclude(t *testing.T) {
	tbpf := builtTBPF(t)
	dir, env := project(t, tbpf)
	include, err := filepath.Abs("tbpf.mk")
	if err != nil {
		t.Fatal(err)
	}
	text := "TBPF_CERT = release.crt\nTBPF_MATERIALS = xdpcount.bpf.c\nTBPF_REVISION = 1234\ninclude " + include + "\nall: xdpcount.bpf.tbpf\n"
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, dir, env, "make", "all")
	checkResults(t, tbpf, dir, ".", map[string]string{"source.revision": "1234"})
	if out := run(t, dir, env, "make", "all"); !strings.Contains(out, "Nothing to be done") {
		t.Errorf("a second run does not leave it:\n%s", out)
	}
}
