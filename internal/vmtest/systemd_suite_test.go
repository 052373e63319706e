package vmtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

const (
	loaderUnit = "tbpf-loader.service"
	stopUnit   = "tbpf-boot.service"
	unitDir    = "/usr/lib/systemd/system/"
	objectDir  = "/usr/lib/tbpf/boot/"
)

// slow gives an emulated machine the time that it may need when others work too.
const slow = "timeout = 200\n"

// bootObjects are the set, in its order.
var bootObjects = []string{"fileguard", "pathwalk", "xdpcount", "ringbuf", "multi"}

// TestSystemd boots a Debian system with the units of packaging/systemd, as
// docs/boot.md says to install them.
func TestSystemd(t *testing.T) {
	kernels := []vmtest.Kernel{"6.1", "6.12", "6.18", "7.3"}
	for _, kernel := range kernels {
		vmtest.Require(t, kernel)
	}
	vmtest.RequireSystem(t, "trixie")
	signed := signBootSet(t)
	long := os.Getenv("TBPF_LONG") != ""
	for _, kernel := range kernels {
		if !long && (kernel == "6.12" || kernel == "6.18") {
			continue // other boots below are of these
		}
		t.Run("whole/"+string(kernel), func(t *testing.T) { t.Parallel(); wholeSet(t, kernel, installed(t, kernel, signed)) })
	}
	for name, c := range map[string]failure{
		// The kernels take turns: what they do differently is for whole.
		"optional":                {kernel: "6.12", damaged: "ringbuf", importance: "optional", code: "30", starts: true, left: true},
		"required":                {kernel: "6.1", damaged: "ringbuf", importance: "required", code: "31", left: true},
		"required/critical-stops": {kernel: "6.18", damaged: "ringbuf", importance: "required", boot: "stop-boot = \"critical\"\n", code: "31", starts: true, left: true},
		"required/takes-down":     {kernel: "7.3", damaged: "ringbuf", importance: "required", boot: "stop-boot = \"critical\"\non-required-failure = \"take-down\"\n", code: "31", starts: true, long: true},
		"critical":                {kernel: "7.3", damaged: "xdpcount", importance: "critical", boot: "stop-boot = \"critical\"\n", code: "31"},
		"critical/leave":          {kernel: "6.18", damaged: "xdpcount", importance: "critical", boot: "on-critical-failure = \"leave\"\n", code: "31", left: true, long: true},
		"critical/never-stops":    {kernel: "6.12", damaged: "xdpcount", importance: "critical", boot: "stop-boot = \"never\"\n", code: "31", starts: true, long: true},
		"no loader":               {kernel: "6.12", noLoader: true, code: "203"},
	} {
		if !long && c.long {
			continue
		}
		t.Run(name, func(t *testing.T) { t.Parallel(); c.check(t, installed(t, c.kernel, signed)) })
	}
}

// installed are the files of a machine with a whole boot set.
func installed(t *testing.T, kernel vmtest.Kernel, signed vmtest.Files) vmtest.Files {
	t.Helper()
	files := vmtest.Files{
		"/usr/bin/tbpf":             signed["/bin/tbpf"],
		"/usr/lib/tbpf/tbpf-loader": signed["/bin/tbpf-loader"],
		// What "systemctl enable" makes.
		"/etc/systemd/system/sysinit.target.wants/" + loaderUnit:  {Data: []byte(unitDir + loaderUnit), Mode: os.ModeSymlink},
		"/etc/systemd/system/sysinit.target.requires/" + stopUnit: {Data: []byte(unitDir + stopUnit), Mode: os.ModeSymlink},
		"/etc/tbpf/policy.toml":                                   machinePolicy(kernel, ""),
		"/etc/tbpf/keyring.d/suite.crt":                           signed["keys/suite.crt"],
	}
	for _, name := range []string{loaderUnit, stopUnit} {
		unit, err := os.ReadFile(filepath.Join("..", "..", "packaging", "systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		files[unitDir+name] = vmtest.File{Data: unit, Mode: 0o644}
	}
	for i, name := range bootObjects {
		files[objectDir+name+".tbpf"] = signed["boot/"+name+"-1.tbpf"]
		entry(files, i, name, "required")
	}
	return files
}

// machinePolicy is a machine's, with keys for its [boot].
func machinePolicy(kernel vmtest.Kernel, boot string) vmtest.File {
	policy := ""         // keys come before tables
	if kernel < "6.18" { // checks no signatures
		policy = "kernel-verify = \"if-available\"\n"
	}
	return vmtest.File{Data: []byte(policy + "[boot]\n" + boot + slow), Mode: 0o644}
}

// entry makes one file of the boot set.
func entry(files vmtest.Files, i int, name, importance string) {
	text := fmt.Sprintf("file = %q\nname = %q\nimportance = %q\npin = \"tbpf\"\ntimeout = 60\n", objectDir+name+".tbpf", name, importance)
	if name == "pathwalk" {
		text += "kernel-min = \"6.12\"\n" // for its functions of the kernel
	}
	if name == "xdpcount" {
		text += "\n[attach]\ncount_udp = \"lo\"\n"
	}
	files[fmt.Sprintf("/etc/tbpf/boot.d/%d0-%s.toml", i+1, name)] = vmtest.File{Data: []byte(text), Mode: 0o644}
}

// damage makes an object another one, and its importance as given.
func damage(t *testing.T, files vmtest.Files, name, importance string) {
	t.Helper()
	path := objectDir + name + ".tbpf"
	data, err := os.ReadFile(files[path].Host)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	files[path] = vmtest.File{Data: data, Mode: 0o644}
	entry(files, slices.Index(bootObjects, name), name, importance)
}

// state is what systemd says of its units, and tbpf of the machine.
type state struct {
	units  map[string]map[string]string // unit, property
	status string                       // systemctl status
	loaded string                       // tbpf status
}

var shownUnits = []string{loaderUnit, stopUnit, "sysinit.target", "basic.target", "multi-user.target", "emergency.target"}

// bootSystem boots and looks around.
func bootSystem(t *testing.T, kernel vmtest.Kernel, files vmtest.Files) state {
	t.Helper()
	steps := []vmtest.Step{
		{Args: []string{"systemctl", "status", "--no-pager", "--full", "--lines=0", loaderUnit}},
		{Args: []string{"tbpf", "status"}},
		{Args: []string{"journalctl", "--no-pager", "--output=cat", "--unit", loaderUnit}},
	}
	for _, unit := range shownUnits {
		steps = append(steps, vmtest.Step{Args: []string{"systemctl", "show", "--property=ActiveState,Result,ExecMainStatus,ActiveEnterTimestampMonotonic", unit}})
	}
	result := vmtest.Boot(t, vmtest.Machine{Kernel: kernel, System: "trixie", Files: files, Steps: steps, Timeout: 5 * time.Minute})
	s := state{status: string(result.Steps[0].Stdout), loaded: string(result.Steps[1].Stdout), units: map[string]map[string]string{}}
	t.Logf("systemctl status:\n%s\ntbpf status:\n%s%s\njournal:\n%s", s.status, s.loaded, result.Steps[1].Stderr, result.Steps[2].Stdout)
	for i, unit := range shownUnits {
		s.units[unit] = map[string]string{}
		for line := range strings.Lines(string(result.Steps[3+i].Stdout)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			s.units[unit][name] = value
		}
	}
	t.Logf("units: %v", s.units)
	return s
}

// active fails the test unless a unit is in this state.
func (s state) active(t *testing.T, unit, want string) {
	t.Helper()
	if got := s.units[unit]["ActiveState"]; got != want {
		t.Errorf("%s is %q, want %q", unit, got, want)
	}
}

// entered is when a unit became active, in microseconds.
func (s state) entered(t *testing.T, unit string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s.units[unit]["ActiveEnterTimestampMonotonic"], 10, 64)
	if err != nil || n == 0 {
		t.Fatalf("%s never became active: %q", unit, s.units[unit])
	}
	return n
}

// inKernel reports whether tbpf finds an object.
func (s state) inKernel(name string) bool {
	return strings.Contains(s.loaded, "/sys/fs/bpf/tbpf/"+name)
}

// wholeSet: what is in the set is up before basic.target, and systemctl says so.
func wholeSet(t *testing.T, kernel vmtest.Kernel, files vmtest.Files) {
	s := bootSystem(t, kernel, files)
	s.active(t, loaderUnit, "active")
	s.active(t, "multi-user.target", "active")
	if loader, sysinit, basic := s.entered(t, loaderUnit), s.entered(t, "sysinit.target"), s.entered(t, "basic.target"); loader > sysinit || loader > basic {
		t.Errorf("the boot set was up at %d µs, sysinit.target at %d, basic.target at %d", loader, sysinit, basic)
	}
	status := "Status: \"5 of 5 objects loaded; loaded: fileguard, pathwalk, xdpcount, ringbuf, multi\""
	if kernel == "6.1" {
		status = "Status: \"4 of 5 objects loaded, 1 not for this kernel; loaded: fileguard, xdpcount, ringbuf, multi\""
	}
	for _, name := range bootObjects {
		if s.inKernel(name) == (kernel == "6.1" && name == "pathwalk") {
			t.Errorf("%s is loaded: %t", name, s.inKernel(name))
		}
	}
	if !strings.Contains(s.status, status) {
		t.Error("systemctl status does not say what was loaded")
	}
}

// failure is a set that fails, and what the machine does then.
type failure struct {
	kernel     vmtest.Kernel
	damaged    string // an object
	importance string
	boot       string // keys of the policy's [boot]
	noLoader   bool   // the loader cannot be run
	code       string // of the loader
	starts     bool   // the machine does, nevertheless
	left       bool   // what is loaded stays
	long       bool   // only with TBPF_LONG
}

// check boots, and looks whether the boot ends where it should.
func (c failure) check(t *testing.T, files vmtest.Files) {
	files["/etc/tbpf/policy.toml"] = machinePolicy(c.kernel, c.boot)
	if c.noLoader {
		files["/usr/lib/tbpf/tbpf-loader"] = vmtest.File{Data: []byte("damaged"), Mode: 0o644}
	} else {
		damage(t, files, c.damaged, c.importance)
	}
	s := bootSystem(t, c.kernel, files)
	want := map[bool]string{true: "active", false: "inactive"}
	for _, target := range []string{"sysinit.target", "basic.target", "multi-user.target"} {
		s.active(t, target, want[c.starts])
	}
	s.active(t, "emergency.target", want[!c.starts])
	s.active(t, stopUnit, map[bool]string{true: "active", false: "failed"}[c.starts])
	if c.code == "30" {
		s.active(t, loaderUnit, "active")
	} else {
		s.active(t, loaderUnit, "failed")
	}
	if code := s.units[loaderUnit]["ExecMainStatus"]; code != c.code {
		t.Errorf("exit code %s, want %s", code, c.code)
	}
	if s.inKernel("fileguard") != c.left {
		t.Errorf("loaded is %q", s.loaded)
	}
	if c.noLoader {
		return
	}
	if s.inKernel(c.damaged) {
		t.Errorf("what is damaged is loaded: %s", s.loaded)
	}
	// multi comes last: after a critical object that fails it is not tried.
	if s.inKernel("multi") != (c.left && c.importance != "critical") {
		t.Errorf("loaded is %q", s.loaded)
	}
	if !strings.Contains(s.status, "failed: "+c.damaged+" ("+c.importance+")") {
		t.Error("systemctl status does not name what failed")
	}
}
