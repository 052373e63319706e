//go:build vmguest

package gatetest

import (
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/record"
)

// What the gate costs: without it, with it in audit mode (which decides and
// records as enforce mode does, and lets a load go on), and without it again.
func TestOverhead(t *testing.T) {
	only(t, "audit")
	install(t)
	writePolicy(t, "mode = \"audit\"\n")
	// The first arms the gate, which makes the keyring that stays.
	arm := func() {
		t.Helper()
		if code, text := run(t, "boot"); code != 0 || !has(text, "the gate is on: audit") {
			t.Fatalf("exit %d: %s", code, text)
		}
	}
	disarm := func() { must(t, command("/bin/tbpf", "unload", "gate")) }
	arm()
	disarm()
	off := measure(t)
	arm()
	on := measure(t)
	disarm()
	for name, d := range measure(t) {
		off[name] = min(off[name], d)
	}
	tellOverhead(t, off, on)
}

// times are the shortest of many, in rounds: the machine is a virtual one on a
// busy host.
type times map[string]time.Duration

// measure takes the times of system calls that the gate's programs see, of one
// that they do not, and of loads.
func measure(t *testing.T) times {
	t.Helper()
	file := t.TempDir() + "/x"
	put(t, file, nil, 0o644)
	best := func(f func()) time.Duration {
		const rounds, calls = 51, 100
		var list []time.Duration
		for range rounds {
			began := time.Now()
			for range calls {
				f()
			}
			list = append(list, time.Since(began)/calls)
		}
		return slices.Min(list)
	}
	open := func(flags int) func() {
		return func() {
			fd, err := unix.Open(file, flags|unix.O_CLOEXEC, 0)
			if err == nil {
				err = unix.Close(fd)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	pid := os.Getpid()
	all := times{
		"getppid":                     best(func() { unix.Getppid() }),
		"open and close, for reading": best(open(unix.O_RDONLY)),
		"open and close, for writing": best(open(unix.O_RDWR)),
		"kill, signal 0":              best(func() { _ = unix.Kill(pid, 0) }),
		"rename":                      best(func() { _ = unix.Rename(file, file) }),
		"bpf, another command":        best(func() { _, _ = bpf(bpfabi.CommandProgGetNextID, new(attr)) }),
		"bpf, load of 2 instructions": best(func() { must(t, program(bpfabi.ProgramSocketFilter, trivial).load()) }),
	}
	measureSigned(t, all)
	return all
}

// tellOverhead prints the table of docs/performance.md.
func tellOverhead(t *testing.T, off, on times) {
	names := make([]string, 0, len(off))
	for name := range off {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Logf("overhead: %-28s %10v %10v %+10v", name, off[name], on[name], on[name]-off[name])
	}
}

// measureSigned adds the time of a load that the gate lets pass: a loader
// program, signed, by the machine's keyring, not run. Before the gate as well.
func measureSigned(t *testing.T, into times) {
	t.Helper()
	if !signatures() {
		return
	}
	store, err := record.Open()
	must(t, err)
	defer store.Close()
	ring, err := store.ReadRing()
	must(t, err)
	o := verified(t, "boot/multi.tbpf", "keys/suite.crt")
	profile := bpfabi.Bound
	switch kernel() {
	case "7.2":
		profile = bpfabi.SelfcheckExcl
	case "6.18":
		profile = bpfabi.Selfcheck
	}
	instructions, cms, _ := o.Loader(profile)
	p := kernelload.Payload{Profile: profile, Instructions: instructions, Metadata: o.Metadata(), CMS: cms}
	must(t, kernelload.OnThread(func() error {
		var list []time.Duration
		for range 51 {
			began := time.Now()
			if err := kernelload.Admitted(p, kernelload.Settings{KeyringID: ring.Serial}); err != nil {
				return err
			}
			list = append(list, time.Since(began))
		}
		into["bpf, a signed loader program"] = slices.Min(list)
		return nil
	}))
}
