package vmtest_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// provoking is a service for which systemd itself loads programs into cgroups.
const provoking = `[Unit]
Description=What systemd loads BPF for

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/tbpf version
IPAddressDeny=any
IPAddressAllow=localhost
DevicePolicy=closed
DeviceAllow=/dev/null rw
StandardOutput=null

[Install]
WantedBy=multi-user.target
`

// gateReport is `tbpf gate log --json` and `learn --json`.
type gateReport struct {
	Policy string
	Log    []struct{ Decision, Reason, Executable, Name, ProgramType string }
}

// TestGateWithSystemd is a Debian system with the gate on from the start of its
// boot set: in audit mode its systemd is seen to load programs that nobody
// signed, without the allow list they are refused, and with the one that
// `tbpf gate learn` wrote everything runs as before.
func TestGateWithSystemd(t *testing.T) {
	kernels := []vmtest.Kernel{"7.3"}
	if os.Getenv("TBPF_LONG") != "" {
		kernels = vmtest.Kernels()
	}
	for _, kernel := range kernels {
		vmtest.Require(t, kernel)
	}
	vmtest.RequireSystem(t, "trixie")
	signed := signBootSet(t)
	gate := signGateOnly(t, signed)
	for _, kernel := range kernels {
		t.Run(string(kernel), func(t *testing.T) {
			t.Parallel()
			files := installed(t, kernel, signed)
			files["/usr/lib/tbpf/gate.bpf.tbpf"] = gate
			files[unitDir+"provoke.service"] = vmtest.File{Data: []byte(provoking), Mode: 0o644}
			files["/etc/systemd/system/multi-user.target.wants/provoke.service"] = vmtest.File{Data: []byte(unitDir + "provoke.service"), Mode: os.ModeSymlink}

			learned := gateBoot(t, kernel, files, "mode = \"audit\"\n", "audited")
			if !strings.Contains(learned, "exe = \"/usr/lib/systemd/systemd\"\n") {
				t.Fatalf("systemd is not proposed:\n%s", learned)
			}
			gateBoot(t, kernel, files, "mode = \"enforce\"\n", "refused")
			gateBoot(t, kernel, files, "mode = \"enforce\"\n"+learned, "passed")
		})
	}
}

// gateBoot boots with a gate, whose decision on systemd's programs must be as
// given, and returns what learn proposes.
func gateBoot(t *testing.T, kernel vmtest.Kernel, files vmtest.Files, table, decision string) string {
	t.Helper()
	files = maps.Clone(files)
	policy := machinePolicy(kernel, "")
	policy.Data = append(policy.Data, "\n[gate]\n"+table...)
	files["/etc/tbpf/policy.toml"] = policy
	steps := []vmtest.Step{
		{Args: []string{"systemctl", "show", "--property=Id,ActiveState,Result", loaderUnit, "sysinit.target", "basic.target", "multi-user.target", "provoke.service"}},
		{Args: []string{"systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"}},
		{Args: []string{"tbpf", "gate", "status"}},
		{Args: []string{"tbpf", "gate", "log", "--json"}},
		{Args: []string{"tbpf", "gate", "learn", "--json"}},
		{Args: []string{"journalctl", "--no-pager", "--output=cat", "--unit", loaderUnit}},
		{Args: []string{"tbpf", "doctor"}},
	}
	result := vmtest.Boot(t, vmtest.Machine{Kernel: kernel, System: "trixie", Files: files, Steps: steps, Timeout: 6 * time.Minute})
	out := func(i int) string { return string(result.Steps[i].Stdout) + string(result.Steps[i].Stderr) }
	t.Logf("%s\n%s%s%s%s%s", table, out(0), out(1), out(2), out(5), out(6))
	if n := strings.Count(out(0), "ActiveState=active"); n != 5 {
		t.Errorf("%d of 5 units are active", n)
	}
	for line := range strings.Lines(string(result.Steps[1].Stdout)) {
		if !strings.HasPrefix(line, "systemd-modules-load.service") { // the system has no modules, gate or not
			t.Errorf("failed: %s", line)
		}
	}
	if code := result.Steps[6].Code; code != 0 {
		t.Errorf("tbpf doctor ends with %d where a gate is on", code)
	}
	var log, learned gateReport
	for i, to := range map[int]*gateReport{3: &log, 4: &learned} {
		if err := json.Unmarshal(result.Steps[i].Stdout, to); err != nil {
			t.Fatalf("%v: %v\n%s", steps[i].Args, err, out(i))
		}
	}
	seen := map[string]int{}
	for _, e := range log.Log {
		if e.Executable == "/usr/lib/systemd/systemd" && e.ProgramType != "" {
			seen[e.Decision]++
		}
	}
	if seen[decision] == 0 || len(seen) != 1 {
		t.Errorf("what systemd loads was decided so: %v, want only %s", seen, decision)
	}
	return learned.Policy
}

// TestGateThatIsDamaged: without its gate a machine stops, or goes on, as its
// policy says (attack A38).
func TestGateThatIsDamaged(t *testing.T) {
	vmtest.Require(t, "7.3")
	vmtest.RequireSystem(t, "trixie")
	signed := signBootSet(t)
	gate := signGateOnly(t, signed)
	data, err := os.ReadFile(gate.Host)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), data...)
	damaged[len(damaged)/2] ^= 1
	for name, test := range map[string]struct {
		object     []byte
		failure    string
		unit, boot string
		code       string
		loaded     bool
	}{
		"missing":           {nil, "stop", "failed", "inactive", "31", false},
		"damaged":           {damaged, "stop", "failed", "inactive", "31", false},
		"damaged, continue": {damaged, "continue", "active", "active", "30", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := installed(t, "7.3", signed)
			policy := machinePolicy("7.3", "")
			policy.Data = append(policy.Data, "\n[gate]\nmode = \"enforce\"\non-failure = \""+test.failure+"\"\n"...)
			files["/etc/tbpf/policy.toml"] = policy
			if test.object != nil {
				files["/usr/lib/tbpf/gate.bpf.tbpf"] = vmtest.File{Data: test.object, Mode: 0o644}
			}
			s := bootSystem(t, "7.3", files)
			s.active(t, loaderUnit, test.unit)
			s.active(t, "multi-user.target", test.boot)
			if code := s.units[loaderUnit]["ExecMainStatus"]; code != test.code {
				t.Errorf("exit code %s, want %s", code, test.code)
			}
			if s.inKernel("fileguard") != test.loaded {
				t.Errorf("loaded is %s", s.loaded)
			}
		})
	}
}

// signGateOnly builds the gate with the key of the boot set.
func signGateOnly(t *testing.T, signed vmtest.Files) vmtest.File {
	t.Helper()
	tbpf, certificate := signed["/bin/tbpf"].Host, signed["keys/suite.crt"].Host
	out := filepath.Join(t.TempDir(), "gate.bpf.tbpf")
	key := strings.TrimSuffix(certificate, ".crt") + ".key"
	cmd := exec.Command(tbpf, "gate", "build", "--key", key, "--cert", certificate, "--version", "1", "-o", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tbpf gate build: %v\n%s", err, text)
	}
	return vmtest.File{Host: out, Mode: 0o644}
}
