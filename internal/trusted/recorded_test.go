//go:build linux

package trusted

import (
	"testing"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// recordedAs is an object with a program, a map and a link, and the same as the
// kernel tells it.
func recordedAs() (*record.Object, *loader.Report) {
	o := &record.Object{
		Name: "guard", Manifest: "sha256:1", Object: "sha256:2", Boot: "b", Pins: "/p/guard",
		Programs: []record.Program{{ID: 1, Tag: "t", LoadTime: 5, Type: "xdp", Name: "a.b", Pin: "a_b"}},
		Maps:     []record.Map{{ID: 2, Type: "hash", Name: ".bss", Pin: "_bss"}},
		Links:    []record.Link{{ID: 3, ProgramID: 1, Type: "xdp", Program: "a.b", Pin: "a_b"}},
	}
	return o, &loader.Report{
		Programs: []loader.ProgramReport{{ID: 1, Tag: "t", LoadTime: 5, Type: "xdp", Name: "a_b"}},
		Maps:     []loader.MapReport{{ID: 2, Type: "hash", Name: "_bss"}},
		Links:    []loader.LinkReport{{ID: 3, ProgramID: 1, Type: "xdp", Program: "a_b", Target: "interface 10"}},
	}
}

func TestInKernel(t *testing.T) {
	o, kernel := recordedAs()
	if !inKernel(o, kernel) {
		t.Fatal("the same is not the same")
	}
	for what, change := range map[string]func(*loader.Report){
		"a program's id":        func(k *loader.Report) { k.Programs[0].ID++ },
		"a program's tag":       func(k *loader.Report) { k.Programs[0].Tag = "u" },
		"a program's load time": func(k *loader.Report) { k.Programs[0].LoadTime++ },
		"a program's type":      func(k *loader.Report) { k.Programs[0].Type = "lsm" },
		"a program's pin":       func(k *loader.Report) { k.Programs[0].Name = "a" },
		"no program":            func(k *loader.Report) { k.Programs = nil },
		"one program more":      func(k *loader.Report) { k.Programs = append(k.Programs, k.Programs[0]) },
		"a map's id":            func(k *loader.Report) { k.Maps[0].ID++ },
		"a map's type":          func(k *loader.Report) { k.Maps[0].Type = "array" },
		"a map's pin":           func(k *loader.Report) { k.Maps[0].Name = "x" },
		"no map":                func(k *loader.Report) { k.Maps = nil },
		"a link's id":           func(k *loader.Report) { k.Links[0].ID++ },
		"a link's program":      func(k *loader.Report) { k.Links[0].ProgramID++ },
		"a link's type":         func(k *loader.Report) { k.Links[0].Type = "tcx" },
		"a link's pin":          func(k *loader.Report) { k.Links[0].Program = "x" },
		"no link":               func(k *loader.Report) { k.Links = nil },
		"its interface is gone": func(k *loader.Report) { k.Links[0].Target = "interface 0" },
		"its cgroup is gone":    func(k *loader.Report) { k.Links[0].Target = "cgroup 0, cgroup_inet_egress" },
		"its netns is gone":     func(k *loader.Report) { k.Links[0].Target = "network namespace 0, sk_lookup" },
	} {
		_, kernel := recordedAs()
		if change(kernel); inKernel(o, kernel) {
			t.Errorf("%s makes no difference", what)
		}
	}
}

func TestSameObject(t *testing.T) {
	have, _ := recordedAs()
	if !sameObject(have, have) {
		t.Fatal("the same is not the same")
	}
	for what, change := range map[string]func(*record.Object){
		"the manifest": func(o *record.Object) { o.Manifest = "sha256:0" },
		"the object":   func(o *record.Object) { o.Object = "sha256:0" },
		"the boot":     func(o *record.Object) { o.Boot = "c" },
		"the place":    func(o *record.Object) { o.Pins = "/q/guard" },
		"the values":   func(o *record.Object) { o.Set = []record.Pair{{Name: "limit", Value: "7"}} },
		"the targets":  func(o *record.Object) { o.Attach = []record.Pair{{Name: "a.b", Value: "lo"}} },
	} {
		want, _ := recordedAs()
		if change(want); sameObject(have, want) {
			t.Errorf("%s makes no difference", what)
		}
	}
}

// What was loaded less strictly than it would be now is loaded anew (A27).
func TestSameWay(t *testing.T) {
	builtin, err := keyring.Parse("builtin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		about string
		have  record.Object
		opt   loader.Options
		want  bool
	}{
		{"by user space, and that is enough", record.Object{}, loader.Options{KernelVerify: loader.IfAvailable}, true},
		{"by user space, and the kernel must", record.Object{}, loader.Options{}, false},
		{"without a token, and there must be one", record.Object{}, loader.Options{KernelVerify: loader.IfAvailable, Isolate: true}, false},
		{"with a token", record.Object{Token: true}, loader.Options{KernelVerify: loader.IfAvailable, Isolate: true}, true},
		{"by the keyring that the policy names", record.Object{KernelVerified: true, Keyring: "builtin"}, loader.Options{Keyring: builtin}, true},
		{"by another keyring", record.Object{KernelVerified: true, Keyring: "own"}, loader.Options{Keyring: builtin}, false},
		{"by a keyring that is no longer named", record.Object{KernelVerified: true, Keyring: "builtin"}, loader.Options{}, false},
		{"by a kernel signer that nobody trusts", record.Object{KernelVerified: true, Keyring: "own"}, loader.Options{}, false},
	} {
		s := &System{keyring: keys.NewKeyring(), kernel: c.opt.Keyring}
		if got := s.sameWay(&c.have, new(verify.Verified), c.opt); got != c.want {
			t.Errorf("%s: %v", c.about, got)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		policy policy.Token
		kernel bool
		want   bool
		fails  bool
	}{
		{policy.TokenNever, true, false, false},
		{policy.TokenWhereSupported, true, true, false},
		{policy.TokenWhereSupported, false, false, false},
		{policy.TokenRequired, true, true, false},
		{policy.TokenRequired, false, false, true},
	} {
		s := &System{policy: &policy.Policy{Token: c.policy}, tokens: c.kernel}
		if got, err := s.isolates(); got != c.want || (err != nil) != c.fails {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}
