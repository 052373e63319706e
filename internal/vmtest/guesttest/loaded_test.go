//go:build vmguest

package guesttest

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/loaded"
)

// An agent works on what tbpf loaded, with the types of cilium/ebpf that it
// always had, and what is loaded stays when it ends.
func TestAgentsOpenWhatIsLoaded(t *testing.T) {
	if _, err := loaded.Open(tunables, loaded.Options{}); !errors.Is(err, loaded.ErrNotLoaded) {
		t.Fatalf("before it is loaded: %v", err)
	}
	got, err := load(sealedPath(tunables), "--kernel-verify", "if-available", "--pin", pinDir, "--set", "mode=BOTH")
	if err != nil {
		t.Fatal(err)
	}
	if err := got.check(kernel(t)); err != nil {
		t.Fatal(err)
	}
	o, err := loaded.Open(tunables, loaded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()

	program, err := o.Program("after")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	info, err := program.Info()
	if err != nil {
		t.Fatal(err)
	}
	link, err := o.Link("after")
	if err != nil {
		t.Fatal(err)
	}
	about, err := link.Info()
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := info.ID(); about.Program != id {
		t.Errorf("the link runs program %d, not %d", about.Program, id)
	}
	if err := link.Close(); err != nil {
		t.Fatal(err)
	}

	slow, err := o.Map("slow")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if slow.Type() != ebpf.Queue || slow.MaxEntries() != 2 {
		t.Errorf("%v", slow)
	}
	if err := exec.Command("/bin/tbpf", "version").Run(); err != nil { // a process gets a name
		t.Fatal(err)
	}
	var thread uint32
	if err := slow.LookupAndDelete(nil, &thread); err != nil || thread == 0 {
		t.Errorf("nothing was seen although the link is pinned: %d, %v", thread, err)
	}

	all, err := o.Maps()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 5 || all["_rodata"] == nil || all["slow"] == nil {
		t.Errorf("%v", all)
	}
	for _, m := range all {
		_ = m.Close()
	}
	if _, err := o.Map("other"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a map that it does not have: %v", err)
	}
	if _, err := o.Map("../programs/after"); err == nil {
		t.Error("a name that leads elsewhere was opened")
	}

	// What somebody else put beside it is not taken for tbpf's.
	if err := os.Mkdir(pinDir+"/foreign", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.Open("foreign", loaded.Options{}); err == nil {
		t.Error("a directory without tbpf's mark was opened")
	}
	if err := os.Remove(pinDir + "/foreign"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(pinDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.Open(tunables, loaded.Options{}); err == nil {
		t.Error("a directory that anybody may write to was opened")
	}
	if err := os.Chmod(pinDir, 0o700); err != nil {
		t.Fatal(err)
	}

	if a, err := tbpf("unload", "--pin", pinDir, tunables); err != nil || a.code != 0 {
		t.Fatalf("unload: %v %v", err, a)
	}
	if _, err := o.Map("slow"); err == nil {
		t.Error("a map was opened after it was unloaded")
	}
}
