package docs

import (
	"os"
	"regexp"
	"testing"
)

// TestEveryClaimHasItsTest: the threat model names no test that is not there.
func TestEveryClaimHasItsTest(t *testing.T) {
	have := tests(t)
	data, err := os.ReadFile("threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(data, -1)
	if len(names) < 20 {
		t.Errorf("only %d claims have a test", len(names))
	}
	for _, name := range names {
		if !have[string(name[1])] {
			t.Errorf("there is no %s", name[1])
		}
	}
}
