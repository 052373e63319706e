// Package docs is the project's documents, and the tests that hold them.
package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryAttackHasItsTest: each case is there once, in order, and names tests
// that exist, or the issue that brings them.
func TestEveryAttackHasItsTest(t *testing.T) {
	have := tests(t)
	data, err := os.ReadFile("attacks.md")
	if err != nil {
		t.Fatal(err)
	}
	const cases = 38
	n := 0
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "| A") {
			continue
		}
		n++
		cells := strings.Split(line, "|")
		if want := fmt.Sprintf("A%02d", n); len(cells) != 5 || strings.TrimSpace(cells[1]) != want {
			t.Fatalf("not the row of %s: %s", want, line)
		}
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 && !regexp.MustCompile(`\bissue \d`).MatchString(cells[3]) {
			t.Errorf("A%02d has neither a test nor an issue", n)
		}
		for _, name := range names {
			if !have[name[1]] {
				t.Errorf("A%02d: there is no %s", n, name[1])
			}
		}
	}
	if n != cases {
		t.Errorf("%d cases, not %d", n, cases)
	}
}

// tests are the names of all tests of the project.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	found := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, match := range function.FindAllSubmatch(data, -1) {
			found[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
