package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/policy"
)

func TestScopesAreRead(t *testing.T) {
	one, two := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	p := parse(t, "[[scope]]\nkey = \""+one+"\"\nnames = [\"guard\", \"net-*\"]\nprogram-types = [\"lsm\"]\n[[scope]]\nkey = \""+one+"\"\n[[scope]]\nkey = \""+two+"\"\nattach-targets = []\n")
	if len(p.Scopes) != 1 || len(p.Scopes[0]) != 3 {
		t.Fatalf("%+v", p.Scopes)
	}
	of := p.Scopes[0].Of(one)
	if len(of) != 2 || !of[0].Names.Allows("net-") || !of[0].Names.Allows("net-x") || of[0].Names.Allows("net") || of[0].ProgramTypes.Allows("xdp") || !of[0].AttachTargets.Allows("") {
		t.Errorf("%+v", of)
	}
	if !of[1].Names.Allows("x") || !of[1].ProgramTypes.Allows("xdp") {
		t.Errorf("%+v", of[1])
	}
	if of := p.Scopes[0].Of(two); len(of) != 1 || of[0].AttachTargets.Allows("x") || of[0].AttachTargets.Allows("") {
		t.Errorf("%+v", of)
	}
	if of := p.Scopes[0].Of(strings.Repeat("0c", 32)); of != nil {
		t.Errorf("%+v", of)
	}
	if n := len(p.Tightened(p).Scopes); n != 2 {
		t.Errorf("%d scopes of two policies", n)
	}
}

func TestScopesAreRefused(t *testing.T) {
	key := "key = \"" + strings.Repeat("0a", 32) + "\"\n"
	for text, name := range map[string]string{
		"scope = 1":                                             "scope",
		"scope = []":                                            "scope",
		"[scope]\n" + key:                                       "scope",
		"[[scope]]\nnames = []":                                 "scope.key",
		"[[scope]]\nkey = \"release\"":                          "scope.key",
		"[[scope]]\nkey = 1":                                    "scope.key",
		"[[scope]]\n" + key + "name = []":                       `scope."name"`,
		"[[scope]]\n" + key + "names = \"x\"":                   "scope.names",
		"[[scope]]\n" + key + "names = [\"a*b\"]":               "scope.names",
		"[[scope]]\n" + key + "names = [\"**\"]":                "scope.names",
		"[[scope]]\n" + key + "program-types = [\"lsm*\"]":      "scope.program-types",
		"[[scope]]\n" + key + "attach-targets = [\"a\", \"a\"]": "scope.attach-targets",
		strings.Repeat("[[scope]]\n"+key, 257):                  "scope",
	} {
		var e *policy.Error
		if p, err := policy.Parse([]byte(text)); !errors.As(err, &e) || e.Key != name || p != nil {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestPathLength(t *testing.T) {
	if p := parse(t, ""); p.MaxPathLength != 0 {
		t.Errorf("%d without a word", p.MaxPathLength)
	}
	strict, loose := parse(t, "[ca]\nmax-path-length = 1\n"), parse(t, "[ca]\nmax-path-length = 3\n")
	if strict.MaxPathLength != 1 || strict.Tightened(loose).MaxPathLength != 1 || loose.Tightened(strict).MaxPathLength != 1 || loose.Tightened(policy.Default()).MaxPathLength != 0 {
		t.Error("not the stricter of two")
	}
	for _, bad := range []string{"4", "-1", "\"1\"", "true"} {
		var e *policy.Error
		if _, err := policy.Parse([]byte("[ca]\nmax-path-length = " + bad)); !errors.As(err, &e) || e.Key != "ca.max-path-length" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestKeylessIdentities(t *testing.T) {
	p := parse(t, "[[keyless]]\nidentity = \"https://a/*\"\nissuer = \"https://i\"\n[[keyless]]\nidentity = \"bob@b\"\nissuer = \"https://i\"\n")
	for subject, want := range map[string]bool{"https://a/x": true, "https://a": false, "bob@b": true, "bob@b2": false, "": false} {
		if p.AllowsIdentity(subject, "https://i") != want || p.AllowsIdentity(subject, "https://j") {
			t.Errorf("%q", subject)
		}
	}
	if parse(t, "").AllowsIdentity("bob@b", "https://i") {
		t.Error("allowed without a word")
	}
	if both := p.Tightened(parse(t, "[[keyless]]\nidentity = \"bob@b\"\nissuer = \"https://i\"\n")); len(both.Keyless) != 1 || both.AllowsIdentity("https://a/x", "https://i") {
		t.Errorf("%+v", both.Keyless)
	}
	for _, bad := range []string{"identity = \"*\"\nissuer = \"i\"", "identity = \"\"\nissuer = \"i\"", "identity = \"a\"", "issuer = \"i\"", "identity = \"a*b\"\nissuer = \"i\"", "identity = 1\nissuer = \"i\"", "x = 1"} {
		if p, err := policy.Parse([]byte("[[keyless]]\n" + bad)); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}
