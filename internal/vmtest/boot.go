package vmtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Boot runs the machine and returns what its steps did. The test fails if the
// machine does not come to the end of its plan; whether steps did what they
// should is for the test to judge. On failure the kernel's messages are kept
// in a file that the test's log names.
func Boot(t testing.TB, m Machine) *Result {
	t.Helper()
	result, err := m.Run(t.Context())
	var missing *MissingError
	if errors.As(err, &missing) {
		skipOrFail(t, missing)
	}
	if err != nil {
		keepConsole(t, m.Kernel, result.Console)
		for i, step := range result.Steps {
			t.Logf("step %q ended=%v code=%d\n%s%s", m.Steps[i].Args, step.Ended, step.Code, step.Stdout, step.Stderr)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			keepConsole(t, m.Kernel, result.Console)
		}
	})
	return result
}

// Require ends the test early where the machine cannot boot the kernel.
func Require(t testing.TB, kernel Kernel) {
	t.Helper()
	_, err := findQEMU()
	if err == nil {
		_, err = kernel.dir()
	}
	require(t, err)
}

// RequireSystem ends the test early where the userland is missing.
func RequireSystem(t testing.TB, u Userland) {
	t.Helper()
	_, err := u.dir()
	require(t, err)
}

func require(t testing.TB, err error) {
	t.Helper()
	var missing *MissingError
	if errors.As(err, &missing) {
		skipOrFail(t, missing)
	} else if err != nil {
		t.Fatal(err)
	}
}

// skipOrFail skips on a developer's machine. In CI everything must be there:
// a skipped test would promise what nobody checked.
func skipOrFail(t testing.TB, missing *MissingError) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// keepConsole writes the kernel's messages where they outlive the test, and
// logs the last of them.
func keepConsole(t testing.TB, kernel Kernel, console []byte) {
	t.Helper()
	if len(console) == 0 {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(console)), "\n")
	t.Logf("kernel %s said last:\n%s", kernel, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	cache, err := CacheDir()
	if err == nil {
		err = os.MkdirAll(filepath.Join(cache, "logs"), 0o755)
	}
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + "-" + string(kernel) + ".log"
	path := filepath.Join(cache, "logs", name)
	if err == nil {
		err = os.WriteFile(path, console, 0o644)
	}
	if err != nil {
		t.Logf("keep kernel messages: %v", err)
		return
	}
	t.Logf("all kernel messages: %s", path)
}

// Static builds a command of this module for the guest and returns its path.
func Static(t testing.TB, importPath string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(importPath))
	if err := Build(context.WithoutCancel(t.Context()), out, importPath); err != nil {
		t.Fatal(err)
	}
	return out
}
