package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/keys"
)

func readPage(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The example of docs/policy.md is a policy, and says every key.
func TestTheExampleOfThePageIsAPolicy(t *testing.T) {
	enforced := readPage(t)
	_, rest, _ := strings.Cut(enforced, "```toml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	p := parse(t, example)
	if p.Threshold != 1 || p.AllowsAlgorithm(keys.Ed25519) || p.ProgramTypes.Allows("kprobe") || p.Profiles.Allows("selfcheck") {
		t.Errorf("%+v", p)
	}
	for _, key := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(enforced, -1) {
		if !strings.Contains(example, key[1]+" = ") {
			t.Errorf("the example does not have %s", key[1])
		}
	}
	for _, a := range keys.Algorithms() {
		if !strings.Contains(enforced, "`"+a.String()+"`") {
			t.Errorf("the page does not have %v", a)
		}
	}
}
