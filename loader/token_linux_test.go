package loader

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

func needTokens(t *testing.T) {
	t.Helper()
	needBPF(t)
	have, err := bpfsys.HaveTokens()
	if err != nil {
		t.Fatal(err)
	}
	if !have {
		_, err := loadMini(t, newMini(), Options{BPFFS: newBPFFS(t)})
		mustRefuse(t, err, Unsupported, "no-tokens")
		t.Skip("this kernel has no tokens")
	}
}

func TestATokenIsEnoughAndIsUsed(t *testing.T) {
	needTokens(t)
	if got := runContainer(t, enough(), "load"); got != "loaded token=true pins=0" {
		t.Error(got)
	}
	if got := runContainer(t, enough(), "pin"); got != "loaded token=true pins=2" {
		t.Error(got)
	}
	// The control: without the token there is no permission.
	if got := runContainer(t, enough(), "no token"); !strings.HasPrefix(got, "permission ") {
		t.Error(got)
	}
}

// A28: a delegation that is too narrow is refused by the name of what is
// missing, or, before 6.17, by the load.
func TestNarrowDelegationsAreRefused(t *testing.T) {
	needTokens(t)
	for missing, change := range map[string]func(*delegation){
		"delegate_cmds=prog_load":              func(d *delegation) { d.commands = "map_create" },
		"delegate_maps=array":                  func(d *delegation) { d.maps = "hash" },
		"delegate_progs=syscall":               func(d *delegation) { d.programs = "xdp" },
		"delegate_progs=xdp":                   func(d *delegation) { d.programs = "syscall" },
		"delegate_attachs=cgroup_inet_ingress": func(d *delegation) { d.attachs = "xdp" },
	} {
		d := enough()
		change(&d)
		got := runContainer(t, d, "load")
		if !strings.HasPrefix(got, "permission ") {
			t.Errorf("%s: %s", missing, got)
		}
		if older(release(t), "6.17") {
			continue // the kernel does not tell what a token allows
		}
		if !strings.HasPrefix(got, "permission delegation-too-narrow") || !strings.Contains(got, missing) {
			t.Errorf("%s is not named: %s", missing, got)
		}
	}
	if got := runContainer(t, delegation{}, "load"); !strings.HasPrefix(got, "permission no-delegation") {
		t.Error(got)
	}
	if got := runContainer(t, enough(), "unknown"); !older(release(t), "6.17") && !strings.HasPrefix(got, "error manifest-delegation") {
		t.Error(got)
	}
	if got := runContainer(t, enough(), "subdirectory"); !strings.HasPrefix(got, "error not-a-bpffs") {
		t.Error(got)
	}
}

func TestNoTokenInTheInitialNamespace(t *testing.T) {
	needTokens(t)
	_, err := loadMini(t, newMini(), Options{BPFFS: newBPFFS(t)})
	mustRefuse(t, err, Permission, "token-in-init-namespace")
}

func TestTokensComeFromABPFFS(t *testing.T) {
	needTokens(t)
	plain := t.TempDir()
	_, err := loadMini(t, newMini(), Options{BPFFS: plain})
	mustRefuse(t, err, Failed, "not-a-bpffs")
	_, err = loadMini(t, newMini(), Options{BPFFS: filepath.Join(plain, "nowhere")})
	mustRefuse(t, err, Failed, "not-a-bpffs")
	if token, wider, err := makeToken("", &manifest.Delegation{}); token != nil || wider != "" || err != nil {
		t.Errorf("%v, %q, %v", token, wider, err)
	}
}

// A31: pins of a process that dies before it publishes them die with it, or,
// where they are in a directory, with the next load.
func TestAKilledLoadLeavesNothing(t *testing.T) {
	dir := newBPFFS(t)
	out, err := child(t, "killed", dir).CombinedOutput()
	id, parseErr := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 32)
	if err == nil || parseErr != nil {
		t.Fatalf("the child did not die: %v, %s", err, out)
	}
	root, _, err := openPinDir(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	lasts := mountsLast(root)
	if got := entries(t, dir); lasts && len(got) != 0 {
		t.Errorf("there is %q", got)
	}
	if s, err := Status(dir); err != nil || len(s) != 0 {
		t.Errorf("status shows %+v, %v", s, err)
	}
	if !lasts {
		if _, err := loadMini(t, newMini(), Options{Pin: dir}); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, dir); !slices.Equal(got, []string{"mini"}) {
			t.Errorf("there is %q", got)
		}
	}
	if !mapIsGone(uint32(id)) {
		t.Error("the map is still there")
	}
}
