package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// step is one command of the README and what it prints there.
type step struct {
	command string
	output  []string
}

// TestTheReadmeIsTrue runs the README's commands one after the other in one
// directory and compares what they print with what the README shows; "…" there
// is anything.
func TestTheReadmeIsTrue(t *testing.T) {
	steps := readmeSteps(t)
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Log("without root on Linux the commands with sudo are left out")
		var rest []step
		for _, s := range steps {
			if !strings.HasPrefix(s.command, "sudo ") {
				rest = append(rest, s)
			}
		}
		steps = rest
	}
	if len(steps) < 8 {
		t.Fatalf("the README has only %d commands", len(steps))
	}

	dir := t.TempDir()
	testdata, err := filepath.Abs(filepath.Join(projectDir, "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(testdata, filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	var script bytes.Buffer
	script.WriteString("exec 2>&1\nsudo() { \"$@\"; }\n")
	for i, s := range steps {
		fmt.Fprintf(&script, "echo '@@ %d'\n%s\n", i, s.command)
	}
	cmd := shell(script.String())
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parts := regexp.MustCompile(`(?m)^@@ \d+\n`).Split(string(out), -1)[1:]
	for i, s := range steps {
		compareOutput(t, s, strings.Split(strings.TrimSuffix(parts[i], "\n"), "\n"))
	}
}

// shell runs a script; as root with a bpffs of its own at the usual place.
func shell(script string) *exec.Cmd {
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return exec.Command("unshare", "-m", "sh", "-c", "mount -t bpf bpf /sys/fs/bpf || exit 1\n"+script)
	}
	return exec.Command("sh", "-c", script)
}

func compareOutput(t *testing.T, s step, got []string) {
	t.Helper()
	want := s.output
	for i := 0; len(want) > 0; i++ {
		if want[0] == "…" { // any lines
			return
		}
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(want[0]), "…", ".+") + "$"
		if len(got) == 0 || !regexp.MustCompile(pattern).MatchString(got[0]) {
			t.Errorf("$ %s\nline %d is %q\nthe README has %q", s.command, i+1, strings.Join(got[:min(1, len(got))], ""), want[0])
			return
		}
		want, got = want[1:], got[1:]
	}
	if rest := strings.Join(got, "\n"); rest != "" {
		t.Errorf("$ %s\nprints more than the README has:\n%s", s.command, rest)
	}
}

// readmeSteps reads the console blocks.
func readmeSteps(t *testing.T) []step {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(projectDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	in := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "```console":
			in = true
		case line == "```":
			in = false
		case in && strings.HasPrefix(line, "$ "):
			steps = append(steps, step{command: line[2:]})
		case in && len(steps) > 0:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		}
	}
	return steps
}

// TestLinksLeadSomewhere checks the links between the project's own pages.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(projectDir, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, page := range append(pages, filepath.Join(projectDir, "README.md")) {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(data, -1) {
			target := filepath.Join(filepath.Dir(page), string(m[1]))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s has a link to %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}
