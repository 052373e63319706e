//go:build vmguest

package gatetest

import (
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// kind says what gate this machine gets.
func kind() string { return os.Getenv("TBPF_GATE") }

func only(t *testing.T, want string) {
	t.Helper()
	if kind() != want {
		t.Skipf("this machine's gate is for another test (%q)", kind())
	}
}

// install is a machine with a gate's files and no boot set.
func install(t *testing.T) {
	put(t, "/etc/tbpf/keyring.d/suite.crt", read(t, "keys/suite.crt"), 0o644)
	put(t, loaderPath, read(t, "/bin/tbpf-loader"), 0o755)
	put(t, gatePath, read(t, "boot/gate.tbpf"), 0o644)
	put(t, "/usr/lib/tbpf/boot/multi.tbpf", read(t, "boot/multi.tbpf"), 0o644)
}

// other is a program with another tag than trivial's.
var other = []byte{0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}

// count is how often the gate decided so.
func count(t *testing.T, d gate.Decision, r gate.Reason) uint64 {
	t.Helper()
	s, err := gate.Find()
	must(t, err)
	defer s.Close()
	n, err := s.Count(d, r)
	must(t, err)
	return n
}

// exit is the exit code of a program.
func exit(t *testing.T, name string) int {
	t.Helper()
	var exited *exec.ExitError
	err := exec.Command(name).Run()
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	if err == nil {
		return 0
	}
	return exited.ExitCode()
}

// An executable of the allow list may load, one with tags only those programs,
// and neither can be written or replaced.
func TestAllowList(t *testing.T) {
	only(t, "allow")
	install(t)
	prog, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{Name: "x", Type: bpfabi.ProgramSocketFilter, License: "GPL", Instructions: trivial})
	must(t, err)
	info, err := bpfsys.GetProgramInfo(prog)
	must(t, errors.Join(err, prog.Close()))
	writePolicy(t, "mode = \"enforce\"\n[[gate.allow]]\nexe = \"/bin/compat\"\n[[gate.allow]]\nexe = \"/bin/gatetest\"\ntags = [\"1111111111111111\", \""+hex.EncodeToString(info.Tag[:])+"\"]\n")
	if code, text := run(t, "boot"); code != 0 || !has(text, "the gate is on: enforce") {
		t.Fatalf("exit %d: %s", code, text)
	}
	if code := exit(t, "/bin/compat"); code != 0 {
		t.Errorf("an executable of the list: %d", code)
	}
	if code := exit(t, "/bin/compat386"); code != int(unix.EPERM) {
		t.Errorf("an executable that is not in the list: %d", code)
	}
	if err := program(bpfabi.ProgramSocketFilter, trivial).load(); err != nil {
		t.Errorf("a program of the list: %v", err)
	}
	wantRefused(t, "another program", program(bpfabi.ProgramSocketFilter, other).load())
	if n := count(t, gate.Passed, gate.ReasonListed); n != 2 {
		t.Errorf("%d uses of the list were counted", n)
	}
	if n := count(t, gate.Refused, gate.ReasonTag); n != 1 {
		t.Errorf("%d other programs were counted", n)
	}
	_, err = os.OpenFile("/bin/compat", os.O_WRONLY, 0)
	wantRefused(t, "writing an executable of the list", err)
	wantRefused(t, "replacing it", os.Rename("/bin/compat386", "/bin/compat"))

	if !signatures() {
		return
	}
	// Without its keyring nothing passes that was signed for it.
	for unix.Unmount("/sys/fs/bpf/tbpf-keyring", unix.MNT_DETACH) == nil {
	}
	for range 100 {
		s, err := gate.Find()
		must(t, err)
		gone := len(s.Gone)
		must(t, s.Close())
		if gone == 1 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	s, err := gate.Find()
	must(t, err)
	defer s.Close()
	if len(s.Gone) != 1 || s.Mode != gate.Enforce {
		t.Errorf("the keyring went and the gate did not see it: %+v", s)
	}
	if code, text := run(t, "load", "/usr/lib/tbpf/boot/multi.tbpf"); code == 0 {
		t.Errorf("without its keyring: %s", text)
	}
	if code := exit(t, "/bin/compat386"); code != int(unix.EPERM) {
		t.Errorf("without its keyring an unsigned program: %d", code)
	}
}

// Audit mode says what it would refuse, and refuses nothing.
func TestAudit(t *testing.T) {
	only(t, "audit")
	install(t)
	writePolicy(t, "mode = \"audit\"\n")
	if code, text := run(t, "boot"); code != 0 || !has(text, "the gate is on: audit") {
		t.Fatalf("exit %d: %s", code, text)
	}
	if err := program(bpfabi.ProgramSocketFilter, trivial).load(); err != nil {
		t.Errorf("it refused: %v", err)
	}
	reason := gate.ReasonNotLoader
	if signatures() {
		reason = gate.ReasonUnsigned
	}
	if n := count(t, gate.Audited, reason); n == 0 {
		t.Error("it did not say so")
	}
	if n := count(t, gate.Refused, reason); n != 0 {
		t.Errorf("%d refused", n)
	}
	if code, text := run(t, "boot"); code != 0 || !has(text, "the gate is on: audit") {
		t.Errorf("a second run: exit %d: %s", code, text)
	}
	must(t, command("/bin/tbpf", "unload", "gate"))
}

// What turns LSM programs off on kernels before 7.3, without a gate: the reason
// why the gate refuses it.
func TestFtraceSwitch(t *testing.T) {
	only(t, "audit")
	if kernel() == "7.3" {
		t.Skip("7.3 does not turn ftrace off any more")
	}
	const file = "/proc/sys/kernel/ftrace_enabled"
	install(t)
	writePolicy(t, "mode = \"audit\"\n")
	if code, text := run(t, "boot"); code != 0 {
		t.Fatalf("exit %d: %s", code, text)
	}
	events := func() uint64 {
		s, err := gate.Find()
		must(t, err)
		defer s.Close()
		return s.Events
	}
	must(t, os.WriteFile(file, []byte("0\n"), 0)) // audit mode lets it pass
	before := events()
	must(t, program(bpfabi.ProgramSocketFilter, trivial).load())
	if after := events(); after != before {
		t.Errorf("the gate is asked with ftrace off: %d, %d", before, after)
	}
	must(t, os.WriteFile(file, []byte("1\n"), 0))
	must(t, program(bpfabi.ProgramSocketFilter, trivial).load())
	if after := events(); after == before {
		t.Error("the gate is not asked with ftrace on again")
	}
	must(t, command("/bin/tbpf", "unload", "gate"))
}
