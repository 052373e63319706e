package vmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// GuestTests builds the test binary of a package for the guest and returns its
// path. The package's tests stand behind the build tag vmguest.
func GuestTests(t testing.TB, importPath string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.test")
	if err := BuildTest(t.Context(), out, importPath); err != nil {
		t.Fatal(err)
	}
	return out
}

// RunTests boots the machine, runs test binaries there as its only steps, and
// shows each of the guest's tests as a subtest of t. programs are their paths
// in the guest, env is added to their environment.
func RunTests(t *testing.T, m Machine, env []string, programs ...string) {
	t.Helper()
	limit := m.timeout() - m.timeout()/10 // Go's own time-out says where it hangs
	only := os.Getenv("TBPF_GUEST_RUN")   // while something is written: some of the guest's tests alone
	if only != "" && os.Getenv("CI") != "" {
		t.Fatal("TBPF_GUEST_RUN is set, and in CI nothing is left out")
	}
	m.Steps = nil
	for _, program := range programs {
		m.Steps = append(m.Steps, Step{
			Args:    []string{program, "-test.v=test2json", "-test.timeout", limit.String(), "-test.run", only},
			Env:     env,
			Timeout: m.timeout(),
		})
	}
	for i, step := range Boot(t, m).Steps {
		t.Run(path.Base(programs[i]), func(t *testing.T) { showStep(t, step, only != "") })
	}
}

// showStep shows the tests of one test binary.
func showStep(t *testing.T, step StepResult, some bool) {
	tree, err := readTests(step.Stdout)
	if err != nil {
		t.Fatalf("read the guest's test results: %v\n%s", err, step.Stdout)
	}
	for _, child := range tree.children {
		child.show(t)
	}
	if len(step.Stderr) > 0 {
		t.Logf("standard error in the guest:\n%s", step.Stderr)
	}
	if some && len(tree.children) == 0 && step.Code == 0 {
		t.Skip("none of the tests")
	}
	if len(tree.children) == 0 || step.Code != 0 && !tree.failed() {
		t.Errorf("exit code %d, timed out: %v %s\n%s", step.Code, step.TimedOut, step.Error, tree.output.Bytes())
	}
}

// guestTest is one test of the guest with its subtests in order.
type guestTest struct {
	name     string // without its parents'
	action   string // "pass", "fail", "skip"; empty if it never ended
	elapsed  float64
	output   bytes.Buffer
	children []*guestTest
}

// readTests makes a tree of what a test binary printed in test2json's form.
func readTests(printed []byte) (*guestTest, error) {
	cmd := exec.Command("go", "tool", "test2json", "-t") // -t: with durations
	cmd.Stdin = bytes.NewReader(printed)
	events, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go tool test2json: %w", err)
	}
	root := &guestTest{}
	decoder := json.NewDecoder(bytes.NewReader(events))
	for {
		var event struct {
			Action, Test, Output string
			Elapsed              float64
		}
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return root, nil
		} else if err != nil {
			return nil, err
		}
		test := root.find(event.Test)
		switch event.Action {
		case "output":
			test.output.WriteString(event.Output)
		case "pass", "fail", "skip":
			test.action, test.elapsed = event.Action, event.Elapsed
		}
	}
}

// find returns the test with a full name beneath g, and makes it if need be.
func (g *guestTest) find(name string) *guestTest {
	if name == "" {
		return g
	}
	first, rest, _ := strings.Cut(name, "/")
	for _, child := range g.children {
		if child.name == first {
			return child.find(rest)
		}
	}
	child := &guestTest{name: first}
	g.children = append(g.children, child)
	return child.find(rest)
}

// failed tells whether the test or one beneath it failed or never ended.
func (g *guestTest) failed() bool {
	for _, child := range g.children {
		if child.action != "pass" && child.action != "skip" || child.failed() {
			return true
		}
	}
	return false
}

// show repeats the test's outcome as a subtest of t.
func (g *guestTest) show(t *testing.T) {
	t.Run(g.name, func(t *testing.T) {
		for _, child := range g.children {
			child.show(t)
		}
		if log := g.log(); log != "" {
			t.Logf("in the guest, %.2f s:\n%s", g.elapsed, log)
		}
		switch g.action {
		case "pass":
		case "skip":
			t.Skip("skipped in the guest")
		case "fail":
			t.Fail()
		default:
			t.Error("did not end in the guest")
		}
	})
}

// log is the output without the lines that go test adds.
func (g *guestTest) log() string {
	var kept []string
	for _, line := range strings.Split(g.output.String(), "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed != "" && !strings.HasPrefix(trimmed, "=== ") && !strings.HasPrefix(trimmed, "--- ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
