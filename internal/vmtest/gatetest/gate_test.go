//go:build vmguest

package gatetest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// TestGate is one machine from its start to an armed gate and what root tries
// then.
func TestGate(t *testing.T) {
	only(t, "")
	put(t, "/etc/tbpf/keyring.d/suite.crt", read(t, "keys/suite.crt"), 0o644)
	put(t, loaderPath, read(t, "/bin/tbpf-loader"), 0o755)
	put(t, "/usr/lib/tbpf/boot/ringbuf.tbpf", read(t, "boot/ringbuf.tbpf"), 0o644)
	put(t, "/usr/lib/tbpf/boot/multi.tbpf", read(t, "boot/multi.tbpf"), 0o644)
	put(t, "/etc/tbpf/boot.d/50-ringbuf.toml", []byte("file = \"/usr/lib/tbpf/boot/ringbuf.tbpf\"\nname = \"ringbuf\"\ntimeout = 300\n"), 0o644)

	t.Run("a boot without its gate ends as the policy says", bootWithout)
	old, iterator := olderLoader(t), olderIterator(t)
	t.Run("the boot arms it before anything else", bootWith)
	if t.Failed() {
		return
	}
	t.Run("loads", func(t *testing.T) { attackLoads(t, old) })
	t.Run("the gate itself", func(t *testing.T) { attackGate(t, iterator) })
	t.Run("the trusted loader", attackLoader)
	t.Run("what is signed still loads", func(t *testing.T) {
		writePolicy(t, "mode = \"enforce\"\n")
		if code, text := run(t, "load", "/usr/lib/tbpf/boot/multi.tbpf"); code != 0 {
			t.Errorf("exit %d: %s", code, text)
		}
		if code, text := run(t, "boot"); code != 0 || !has(text, "the gate is on: enforce", "ringbuf: unchanged") {
			t.Errorf("exit %d: %s", code, text)
		}
	})
	wantOn(t, "all of it")
	t.Run("its events", events)
}

// bootWithout is A38: no gate, a damaged one, a machine that goes on without.
func bootWithout(t *testing.T) {
	object := read(t, "boot/gate.tbpf")
	loads := func(want bool) {
		t.Helper()
		_, err := os.Stat("/sys/fs/bpf/tbpf/ringbuf")
		if (err == nil) != want {
			t.Errorf("ringbuf is loaded: %v", err == nil)
		}
	}
	writePolicy(t, "mode = \"enforce\"\n")
	if code, text := run(t, "boot"); code != 31 || !has(text, gatePath) {
		t.Errorf("no object: exit %d: %s", code, text)
	}
	loads(false)
	damaged := append([]byte(nil), object...)
	damaged[len(damaged)/2] ^= 1
	put(t, gatePath, damaged, 0o644)
	if code, text := run(t, "boot"); code != 31 {
		t.Errorf("a damaged object: exit %d: %s", code, text)
	}
	loads(false)
	put(t, gatePath, object, 0o644)
	writePolicy(t, "mode = \"enforce\"\nloader = \"/usr/lib/tbpf/no-loader\"\n")
	if code, text := run(t, "boot"); code != 31 || !has(text, "no-loader") {
		t.Errorf("no loader: exit %d: %s", code, text)
	}
	loads(false)
	anonymous(t)
	loads(false)
	must(t, os.Remove(gatePath))
	writePolicy(t, "mode = \"enforce\"\non-failure = \"continue\"\n")
	if code, text := run(t, "boot"); code != 30 || !has(text, gatePath) {
		t.Errorf("going on without: exit %d: %s", code, text)
	}
	loads(true)
	must(t, command("/bin/tbpf", "unload", "ringbuf"))
	if found, err := gate.Find(); found != nil || err != nil {
		t.Errorf("something of a gate is left: %+v, %v", found, err)
	}
	put(t, gatePath, object, 0o644)
}

// anonymous has files of the policy on a file system whose number, and theirs, the
// next one can get.
func anonymous(t *testing.T) {
	const dir = "/usr/lib/tbpf/memory"
	must(t, os.MkdirAll(dir, 0o755))
	must(t, unix.Mount("none", dir, "tmpfs", 0, "mode=0755"))
	put(t, dir+"/compat", read(t, "/bin/compat"), 0o755)
	put(t, dir+"/tbpf-loader", read(t, loaderPath), 0o755)
	writePolicy(t, "mode = \"enforce\"\n[[gate.allow]]\nexe = \""+dir+"/compat\"\n")
	if code, text := run(t, "boot"); code != 31 || !has(text, "tmpfs has no device of its own") {
		t.Errorf("an executable on tmpfs: exit %d: %s", code, text)
	}
	if !signatures() {
		writePolicy(t, "mode = \"enforce\"\nloader = \""+dir+"/tbpf-loader\"\n")
		if code, text := run(t, "boot"); code != 31 || !has(text, "tmpfs has no device of its own") {
			t.Errorf("the loader on tmpfs: exit %d: %s", code, text)
		}
	}
	must(t, unix.Unmount(dir, 0))
}

// olderLoader is a loader program, unsigned, that was there before the gate.
func olderLoader(t *testing.T) *bpfsys.FD {
	t.Helper()
	p := payload(t, verified(t, "boot/multi.tbpf", "keys/suite.crt"))
	meta, err := bpfsys.CreateMap(bpfsys.MapSpec{Name: "older", Type: bpfabi.MapArray, KeySize: 4, ValueSize: uint32(len(p.Metadata)), MaxEntries: 1})
	must(t, err)
	must(t, bpfsys.UpdateElem(meta, make([]byte, 4), p.Metadata, 0))
	prog, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
		Name: "older", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "Dual BSD/GPL",
		Instructions: p.Instructions, Maps: []*bpfsys.FD{meta},
	})
	must(t, err)
	return prog
}

func bootWith(t *testing.T) {
	writePolicy(t, "mode = \"enforce\"\n")
	code, text := run(t, "boot")
	if code != 0 || !has(text, "the gate is on: enforce", "ringbuf: loaded") {
		t.Fatalf("exit %d: %s", code, text)
	}
	wantOn(t, "the boot")
	s, err := gate.Find()
	must(t, err)
	if s == nil || s.Mode != gate.Enforce || s.Loader.Inode == 0 || (len(s.Serials) == 1) != signatures() || s.Gone != nil {
		t.Fatalf("%+v", s)
	}
	must(t, s.Close())
	for name := range gateMaps(t) {
		if len(name) > 15 {
			t.Error(name)
		}
	}
	if names, err := filepath.Glob(pins + "/links/*"); err != nil || len(names) < 20 {
		t.Errorf("%d links, %v", len(names), err)
	}
}

// events: what was refused is in the ring, with who tried it.
func events(t *testing.T) {
	s, err := gate.Find()
	must(t, err)
	defer s.Close()
	seen := make(map[gate.Reason]int)
	last, err := s.Last()
	must(t, err)
	for n := last; n > 0 && n+gate.Events > last; n-- {
		e, ok, err := s.Event(n)
		must(t, err)
		if !ok {
			t.Errorf("event %d is not there", n)
			continue
		}
		seen[e.Reason]++
		if e.Decision == gate.Refused && e.Reason == gate.ReasonUnsigned && e.PID == uint32(os.Getpid()) && (e.Exe != "/bin/gatetest" || e.Task == "" || e.Mode != gate.Enforce || e.Command != 5) {
			t.Errorf("%+v", e)
		}
		if e.Time == 0 || e.PID == 0 && e.Task == "" {
			t.Errorf("%+v", e)
		}
	}
	want := []gate.Reason{gate.ReasonItsMap, gate.ReasonItsPin, gate.ReasonItsMount, gate.ReasonFile, gate.ReasonProcess, gate.ReasonFtrace, gate.ReasonIterator}
	if signatures() {
		want = append(want, gate.ReasonSigned, gate.ReasonNested, gate.ReasonUnsigned, gate.ReasonKeyring, gate.ReasonUncovered, gate.ReasonNotNested)
	} else {
		want = append(want, gate.ReasonLoader, gate.ReasonNotLoader, gate.ReasonState)
	}
	for _, r := range want {
		if seen[r] == 0 {
			t.Errorf("no event says %v", r)
		}
	}
	t.Logf("%v", seen)
}
