package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/policy"
)

func TestBootKeysAreRead(t *testing.T) {
	p := parse(t, `
token = "required"
kernel-keyring = "platform"
[rollback]
state = "required"
[boot]
on-critical-failure = "leave"
on-required-failure = "take-down"
stop-boot = "never"
timeout = 3600
`)
	if p.Token != policy.TokenRequired || p.KernelKeyring != "platform" || p.Floor != policy.FloorRequired ||
		p.Boot != (policy.Boot{OnCriticalFailure: policy.Leave, OnRequiredFailure: policy.TakeDown, Stop: policy.StopNever, Timeout: time.Hour}) {
		t.Errorf("%+v", p)
	}
	if p := parse(t, `token = "never"`); p.Token != policy.TokenNever {
		t.Errorf("%+v", p)
	}
	p = parse(t, "[rollback]\n[boot]\n")
	if p.Token != policy.TokenWhereSupported || p.KernelKeyring != "" || p.Floor != policy.FloorFirstBoot ||
		p.Boot != (policy.Boot{OnCriticalFailure: policy.TakeDown, OnRequiredFailure: policy.Leave, Timeout: time.Minute}) {
		t.Errorf("not the defaults: %+v", p)
	}
}

func TestBootKeysAreRefused(t *testing.T) {
	for text, key := range map[string]string{
		`token = "yes"`:                           "token",
		`token = true`:                            "token",
		`kernel-keyring = "-3"`:                   "kernel-keyring",
		`kernel-keyring = ""`:                     "kernel-keyring",
		`kernel-keyring = 5`:                      "kernel-keyring",
		`rollback = 1`:                            "rollback",
		"[[rollback]]":                            "rollback",
		"[rollback]\nstate = \"none\"":            "rollback.state",
		"[rollback]\nState = \"required\"":        `rollback."State"`,
		"revocation = 1":                          "revocation",
		"[revocation]\nlists = []":                `revocation."lists"`,
		"[revocation]\nrequired = 1":              "revocation.required",
		"[revocation]\nsigners = [\"00\"]":        "revocation.signers",
		"[revocation]\nsigners = \"\"":            "revocation.signers",
		"[boot]\ntimeout = 0":                     "boot.timeout",
		"[boot]\ntimeout = 3601":                  "boot.timeout",
		"[boot]\ntimeout = \"60\"":                "boot.timeout",
		"[boot]\non-critical-failure = \"stay\"":  "boot.on-critical-failure",
		"[boot]\nstop-boot = \"optional\"":        "boot.stop-boot",
		"[boot]\non-required-failure = 0":         "boot.on-required-failure",
		"[boot]\non-optional-failure = \"leave\"": `boot."on-optional-failure"`,
		"[boot.timeout]\nx = 1":                   "boot.timeout",
	} {
		p, err := policy.Parse([]byte(text))
		var e *policy.Error
		if !errors.As(err, &e) || e.Key != key || e.NotEnforced || p != nil {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}

func TestTightenedBootKeys(t *testing.T) {
	strict := parse(t, "token = \"required\"\nkernel-keyring = \"builtin\"\n[rollback]\nstate = \"required\"\n[boot]\non-required-failure = \"take-down\"\ntimeout = 5\n")
	loose := parse(t, "token = \"never\"\n[boot]\non-critical-failure = \"leave\"\nstop-boot = \"critical\"\n")
	for _, p := range []*policy.Policy{strict.Tightened(loose), loose.Tightened(strict)} {
		if p.Token != policy.TokenRequired || p.KernelKeyring != "builtin" || p.Floor != policy.FloorRequired ||
			p.Boot != (policy.Boot{Timeout: 5 * time.Second}) {
			t.Errorf("%+v", p)
		}
	}
	// Of two keyrings no kernel can ask both, so it asks neither.
	other := parse(t, `kernel-keyring = "platform"`)
	if name := strict.Tightened(other).KernelKeyring; strings.Contains("builtin platform", name) {
		t.Errorf("keyring %q", name)
	}
}

func TestRevocationKeys(t *testing.T) {
	one, two := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	strict := parse(t, "[revocation]\nrequired = true\nsigners = [\""+one+"\"]\n")
	if r := strict.Revocation; !r.Required || !r.Signers.Allows(one) || r.Signers.Allows(two) {
		t.Errorf("%+v", r)
	}
	loose := parse(t, "[revocation]\nrequired = false\n")
	if r := loose.Revocation; r.Required || !r.Signers.Allows(two) {
		t.Errorf("not the defaults: %+v", r)
	}
	for _, p := range []*policy.Policy{strict.Tightened(loose), loose.Tightened(strict)} {
		if r := p.Revocation; !r.Required || r.Signers.Allows(two) {
			t.Errorf("%+v", r)
		}
	}
	for _, id := range []string{strings.ToUpper(one), one[1:], one + "00", "zz" + one[2:], ""} {
		if _, err := policy.Parse([]byte("[revocation]\nsigners = [\"" + id + "\"]\n")); err == nil {
			t.Errorf("%q is taken for a key id", id)
		}
	}
}
