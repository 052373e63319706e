package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/verify"
)

// A key that signs what is not its own does not count (A21: of any one trusted
// key the kernel takes everything, and so does cosign's policy of keys alone).
func TestSignersOutOfTheirScopeDoNotCount(t *testing.T) {
	p256, rsa := loadKey(t, "p256"), loadKey(t, "rsa2048")
	d := newDraft(t)
	d.manifest.Programs[0].Type, d.manifest.Programs[0].AttachTarget = "lsm", "file_open"
	d.manifest.Programs[0].Attach.Input, d.manifest.Programs[0].Attach.InputSlot = "", -1
	file := d.file(t)
	scope := func(k testKey, lines string) string {
		return fmt.Sprintf("[[scope]]\nkey = \"%v\"\n%s\n", k.id(t), lines)
	}
	for lines, good := range map[string]bool{
		"":                               true,
		`names = ["count"]`:              true,
		`names = ["cou*"]`:               true,
		`names = ["*"]`:                  true,
		`names = ["x", "count"]`:         true,
		`names = []`:                     false,
		`names = ["coun"]`:               false,
		`names = ["Count"]`:              false,
		`names = ["counter*"]`:           false,
		`program-types = ["lsm"]`:        true,
		`program-types = ["xdp"]`:        false,
		`program-types = []`:             false,
		`attach-targets = ["fi*"]`:       true,
		`attach-targets = ["file_open"]`: true,
		`attach-targets = ["file_ope"]`:  false,
		`attach-targets = [""]`:          false,
		`attach-targets = []`:            false,
		"names = [\"count\"]\nattach-targets = [\"bprm*\"]":           false,
		"names = [\"count\"]\nprogram-types = [\"lsm\", \"tracing\"]": true,
	} {
		opt := options(t, "p256", "rsa2048")
		opt.Policy = parsePolicy(t, scope(p256, lines))
		if good {
			mustVerify(t, file, opt)
		} else if e := mustRefuse(t, file, opt, verify.OutOfScope); e.ExitCode() != 16 || !strings.Contains(e.Error(), "scope") {
			t.Errorf("%s: %d, %v", lines, e.ExitCode(), e)
		}
		// Another key's scope is nothing to this one.
		opt.Policy = parsePolicy(t, scope(rsa, lines))
		mustVerify(t, file, opt)
		// Alternatives: one of them is enough, altogether and not in parts.
		opt.Policy = parsePolicy(t, scope(p256, `names = []`)+scope(p256, lines))
		if good {
			mustVerify(t, file, opt)
		} else {
			mustRefuse(t, file, opt, verify.OutOfScope)
		}
	}
	opt := options(t, "p256")
	opt.Policy = parsePolicy(t, scope(p256, "names = [\"count\"]\nprogram-types = []")+scope(p256, "names = []\nprogram-types = [\"lsm\"]"))
	mustRefuse(t, file, opt, verify.OutOfScope)
	// Of two policies both must allow.
	opt.Policy = parsePolicy(t, scope(p256, `names = ["count"]`)).Tightened(parsePolicy(t, scope(p256, `names = ["guard"]`)))
	mustRefuse(t, file, opt, verify.OutOfScope)
}

// Where the machine names the target, a scope with targets must say so.
func TestScopesAndTargetsOfTheMachine(t *testing.T) {
	p256 := loadKey(t, "p256")
	file := newDraft(t).file(t) // XDP
	for targets, good := range map[string]bool{`"file_open"`: false, `"file_open", ""`: true, `"*"`: true} {
		opt := options(t, "p256")
		opt.Policy = parsePolicy(t, fmt.Sprintf("[[scope]]\nkey = \"%v\"\nattach-targets = [%s]\n", p256.id(t), targets))
		if good {
			mustVerify(t, file, opt)
		} else {
			mustRefuse(t, file, opt, verify.OutOfScope)
		}
	}
}

// Out of scope is dropped before keys are counted, and after what is wrong with
// the file.
func TestScopesInTheOrderOfSteps(t *testing.T) {
	p256, rsa := loadKey(t, "p256"), loadKey(t, "rsa2048")
	mine := fmt.Sprintf("[[scope]]\nkey = \"%v\"\nnames = [\"other\"]\n", p256.id(t))
	opt := options(t, "p256", "rsa2048")
	opt.Policy = parsePolicy(t, mine)
	if v := mustVerify(t, bareDraft(t, p256, rsa).file(t), opt); len(v.Signers()) != 1 || v.Signers()[0].KeyID != rsa.id(t) {
		t.Errorf("%v", v.Signers())
	}
	opt.Policy = parsePolicy(t, "threshold = 2\n"+mine)
	mustRefuse(t, bareDraft(t, p256, rsa).file(t), opt, verify.OutOfScope)
	mustRefuse(t, join(t, []byte("another object"), bareDraft(t, p256).seal(t)), opt, verify.ObjectMismatch)
	// Whoever signed the manifest: kernel signatures have their scope as well.
	d := newDraft(t)
	d.signers = []testKey{rsa}
	opt.Policy = parsePolicy(t, mine)
	mustRefuse(t, d.file(t), opt, verify.OutOfScope)
}
