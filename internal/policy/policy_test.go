package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
)

func parse(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func wantDefault(t *testing.T, p *policy.Policy) {
	t.Helper()
	if p.Threshold != 1 || p.Validity != policy.ValidNow || p.KernelVerify != policy.KernelRequired ||
		!p.AllowsAlgorithm(keys.Ed25519) || !p.ProgramTypes.Allows("lsm") || !p.Profiles.Allows("selfcheck") {
		t.Errorf("not the defaults: %+v", p)
	}
}

func TestAnAbsentKeyHasItsDefault(t *testing.T) {
	wantDefault(t, policy.Default())
	wantDefault(t, parse(t, ""))
	wantDefault(t, parse(t, "# nothing\n"))
	p := parse(t, "threshold = 3\n")
	if p.Threshold != 3 {
		t.Errorf("threshold %d", p.Threshold)
	}
	p.Threshold = 1
	wantDefault(t, p)
}

func TestEveryKeyIsRead(t *testing.T) {
	p := parse(t, `
threshold = 2
validity = "created"
algorithms = ["ecdsa-p256-sha256", "ed25519"]
program-types = ["lsm"]
profiles = ["bound", "selfcheck-excl"]
kernel-verify = "if-available"
`)
	if p.Threshold != 2 || p.Validity != policy.ValidCreated || p.KernelVerify != policy.KernelIfAvailable {
		t.Errorf("%+v", p)
	}
	if !p.AllowsAlgorithm(keys.Ed25519) || p.AllowsAlgorithm(keys.RSAPSSSHA256) {
		t.Error("algorithms")
	}
	if !p.ProgramTypes.Allows("lsm") || p.ProgramTypes.Allows("xdp") {
		t.Error("program types")
	}
	if !p.Profiles.Allows("bound") || p.Profiles.Allows("selfcheck") {
		t.Error("profiles")
	}
	if parse(t, `validity = "ignore"`).Validity != policy.ValidIgnore {
		t.Error("validity")
	}
}

func TestAnEmptyListAllowsNothing(t *testing.T) {
	p := parse(t, "algorithms = []\nprogram-types = []\nprofiles = []\n")
	if p.AllowsAlgorithm(keys.Ed25519) || p.ProgramTypes.Allows("lsm") || p.Profiles.Allows("bound") {
		t.Errorf("%+v", p)
	}
}

func TestTheZeroPolicyAllowsNothing(t *testing.T) {
	var p policy.Policy
	if p.AllowsAlgorithm(keys.Ed25519) || p.ProgramTypes.Allows("lsm") || p.Profiles.Allows("bound") ||
		p.Validity != policy.ValidNow || p.KernelVerify != policy.KernelRequired {
		t.Errorf("%+v", p)
	}
}

func TestRefused(t *testing.T) {
	for text, key := range map[string]string{
		"threshold = 0":                          "threshold",
		"threshold = -1":                         "threshold",
		"threshold = 17":                         "threshold",
		"threshold = 1.0":                        "",
		`threshold = "1"`:                        "threshold",
		"threshold = true":                       "threshold",
		"threshold = [1]":                        "threshold",
		"threshold = 9223372036854775807":        "threshold",
		`validity = "never"`:                     "validity",
		`validity = "Now"`:                       "validity",
		`validity = ""`:                          "validity",
		"validity = 0":                           "validity",
		`validity = ["now"]`:                     "validity",
		`kernel-verify = "no"`:                   "kernel-verify",
		"kernel-verify = false":                  "kernel-verify",
		`algorithms = "ed25519"`:                 "algorithms",
		`algorithms = ["sha1"]`:                  "algorithms",
		`algorithms = ["ed25519", "ed25519"]`:    "algorithms",
		`algorithms = [1]`:                       "algorithms",
		`algorithms = [["ed25519"]]`:             "algorithms",
		`program-types = ["lsmm"]`:               "program-types",
		`program-types = [""]`:                   "program-types",
		`profiles = ["unsigned"]`:                "profiles",
		`treshold = 2`:                           `"treshold"`,
		`Threshold = 2`:                          `"Threshold"`,
		`THRESHOLD = 2`:                          `"THRESHOLD"`,
		`"thre\u0073hold " = 2`:                  `"threshold "`,
		`"\u001b[2J" = 1`:                        `"\x1b[2J"`,
		`program_types = []`:                     `"program_types"`,
		"[threshold]\nx = 1":                     "threshold",
		"[[algorithms]]\nx = 1":                  "algorithms",
		"algorithms.x = 1":                       "algorithms",
		"threshold = 1\nthreshold = 2":           "",
		"threshold":                              "",
		"threshold = ":                           "",
		"threshold = 99999999999999999999":       "",
		"\ufeffthreshold = 1":                    "",
		"threshold = 1 # \xff":                   "",
		"threshold = 1\x00":                      "",
		"x = " + strings.Repeat("[", 60000):      "",
		"#" + strings.Repeat("x", 64<<10):        "",
		strings.Repeat("x", 1000) + " = 1":       `"` + strings.Repeat("x", 64) + `"`,
		`algorithms = ["` + "\u202e" + `"]`:      "algorithms",
		"threshold = 2\n[policy]\nthreshold = 1": `"policy"`,
	} {
		p, err := policy.Parse([]byte(text))
		var e *policy.Error
		if !errors.As(err, &e) {
			t.Errorf("%.80q: policy %+v, error %v", text, p, err)
			continue
		}
		if e.Key != key || e.NotEnforced {
			t.Errorf("%.80q: key %q, want %q (%v)", text, e.Key, key, err)
		}
		if p != nil {
			t.Errorf("%.80q: an error and a policy", text)
		}
		if strings.ContainsAny(err.Error(), "\x00\x1b\u202e") || strings.Contains(err.Error(), ": :") {
			t.Errorf("%.80q: error text %q", text, err)
		}
	}
}

func TestGate(t *testing.T) {
	if p := parse(t, "threshold = 1"); p.Gate != nil {
		t.Errorf("a gate that nobody asked for: %+v", p.Gate)
	}
	p := parse(t, "[gate]\n")
	if g := p.Gate; g.Mode != policy.GateAudit || g.OnFailure != policy.GateStop || g.Object != policy.DefaultGateObject || g.Loader != policy.DefaultGateLoader || g.Allow != nil || g.Keyrings != nil {
		t.Errorf("%+v", g)
	}
	p = parse(t, "[gate]\nmode = \"enforce\"\non-failure = \"continue\"\nkeyrings = [\"platform\"]\n[[gate.allow]]\nexe = \"/a\"\n[[gate.allow]]\nexe = \"/b\"\ntags = [\"0123456789abcdef\"]\n")
	if g := p.Gate; g.Mode != policy.GateEnforce || g.OnFailure != policy.GateContinue || len(g.Allow) != 2 || g.Allow[0].Tags != nil || g.Allow[1].Tags[0] != [8]byte{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef} || g.Keyrings[0] != "platform" {
		t.Errorf("%+v", g)
	}
	// A load's own policy does not change the machine's gate.
	if both := p.Tightened(parse(t, "[gate]\n")); both.Gate != p.Gate {
		t.Errorf("%+v", both.Gate)
	}
	for text, key := range map[string]string{
		"gate = 1":                        "gate",
		"[gate]\nmode = \"off\"":          "gate.mode",
		"[gate]\non-failure = \"ignore\"": "gate.on-failure",
		"[gate]\nobject = \"x\"":          "gate.object",
		"[gate]\nloader = \"/a/../b\"":    "gate.loader",
		"[gate]\nkeyrings = [\"user\"]":   "gate.keyrings",
		"[gate]\nallow = 1":               "gate.allow",
		"[[gate.allow]]\ntags = []":       "gate.allow.tags",
		"[[gate.allow]]\nexe = \"/a\"\ntags = [\"0000000000000000\"]": "gate.allow.tags",
		"[[gate.allow]]\nexe = \"/a\"\ntags = [\"01\"]":               "gate.allow.tags",
		"[[gate.allow]]\ntags = [\"0123456789abcdef\"]":               "gate.allow.exe",
	} {
		var e *policy.Error
		if p, err := policy.Parse([]byte(text + "\n")); !errors.As(err, &e) || e.Key != key || p != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTightenedNeverLoosens(t *testing.T) {
	machine := parse(t, "threshold = 2\nalgorithms = [\"ed25519\", \"ecdsa-p256-sha256\"]\nprogram-types = [\"lsm\"]\n")
	given := parse(t, "validity = \"ignore\"\nkernel-verify = \"if-available\"\nalgorithms = [\"ed25519\", \"rsa-pss-sha256\"]\nprofiles = [\"bound\"]\n")
	for _, p := range []*policy.Policy{machine.Tightened(given), given.Tightened(machine)} {
		if p.Threshold != 2 || p.Validity != policy.ValidNow || p.KernelVerify != policy.KernelRequired {
			t.Errorf("%+v", p)
		}
		if !p.AllowsAlgorithm(keys.Ed25519) || p.AllowsAlgorithm(keys.ECDSAP256SHA256) || p.AllowsAlgorithm(keys.RSAPSSSHA256) {
			t.Error("algorithms are not those of both")
		}
		if !p.ProgramTypes.Allows("lsm") || p.ProgramTypes.Allows("xdp") {
			t.Error("program types are not those of both")
		}
		if !p.Profiles.Allows("bound") || p.Profiles.Allows("selfcheck") {
			t.Error("profiles are not those of both")
		}
	}
	wantDefault(t, policy.Default().Tightened(policy.Default()))
	none := policy.Only().And(policy.Every())
	if none.Allows("lsm") {
		t.Error("an empty list and every name is not empty")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"threshold = 2\nvalidity = \"now\"\n", "algorithms = [\"ed25519\"]\n", "[rollback]\nstate = \"required\"\n",
		"[[scope]]\nkey = \"\"\n", "a.b.c = {d = [1, 2.0, 1979-05-27T07:32:00Z]}\n", "x = \"\"\"\n\"\"\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := policy.Parse(in)
		var e *policy.Error
		switch {
		case err != nil && (p != nil || !errors.As(err, &e)):
			t.Errorf("policy %+v, error %v", p, err)
		case err == nil && (p.Threshold < 1 || p.Threshold > 16):
			t.Errorf("threshold %d", p.Threshold)
		}
	})
}

func TestTheLoadersDigest(t *testing.T) {
	const one, two = "sha256:3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95", "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	if p := parse(t, ""); !p.Loader.Allows("") || !p.Loader.Allows(one) {
		t.Error("without the key a loader is refused")
	}
	p := parse(t, "[loader]\ndigest = [\""+one+"\"]\n")
	if p.Loader.Allows("") || p.Loader.Allows(two) || !p.Loader.Allows(one) {
		t.Errorf("%+v", p.Loader)
	}
	if q := p.Tightened(parse(t, "[loader]\ndigest = [\""+two+"\"]\n")); q.Loader.Allows(one) || q.Loader.Allows(two) || q.Loader.Allows("") {
		t.Errorf("two that name others: %+v", q.Loader)
	}
	if p := parse(t, "[loader]\ndigest = []\n"); p.Loader.Allows("") || p.Loader.Allows(one) {
		t.Error("an empty list allows something")
	}
	for _, bad := range []string{"", "sha256:", one[7:], one + "0", strings.ToUpper(one), "sha512:" + one[7:], " " + one} {
		if _, err := policy.Parse([]byte("[loader]\ndigest = [\"" + bad + "\"]\n")); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
