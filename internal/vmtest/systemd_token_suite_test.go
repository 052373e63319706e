//go:build soak

package vmtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// TestServiceWithAToken starts the example of packaging/systemd: a service that
// loads with the token of systemd's own PrivateBPF=, which came with systemd 258.
// Debian has that in testing only, which is another system every day: so this is
// not a test of every change.
func TestServiceWithAToken(t *testing.T) {
	const suite = "forky"
	vmtest.Require(t, "7.3")
	vmtest.RequireSystem(t, suite)
	unit, err := os.ReadFile(filepath.Join("..", "..", "packaging", "systemd", "tbpf-example.service"))
	if err != nil {
		t.Fatal(err)
	}
	signed := signBootSet(t)
	result := vmtest.Boot(t, vmtest.Machine{
		Kernel: "7.3", System: suite, Timeout: 3 * time.Minute,
		Files: vmtest.Files{
			"/usr/bin/tbpf":                  signed["/bin/tbpf"],
			"/usr/lib/tbpf/example.bpf.tbpf": signed["boot/fileguard-1.tbpf"],
			"/etc/tbpf/keyring.d/suite.crt":  signed["keys/suite.crt"],
			unitDir + "tbpf-example.service": {Data: unit, Mode: 0o644},
		},
		Steps: []vmtest.Step{
			{Args: []string{"systemctl", "start", "tbpf-example.service"}},
			// Nothing says that it is loaded but what it prints.
			{Args: []string{"journalctl", "--follow", "--no-tail", "--output=cat", "--unit", "tbpf-example.service"}, Timeout: 20 * time.Second},
			{Args: []string{"systemctl", "stop", "tbpf-example.service"}},
			{Args: []string{"systemctl", "show", "--property=ActiveState,Result", "tbpf-example.service"}},
		},
	})
	log, stopped := string(result.Steps[1].Stdout), string(result.Steps[3].Stdout)
	t.Logf("journal:\n%s\nafter the stop:\n%s", log, stopped)
	for _, want := range []string{
		"signature checked by the kernel, through a BPF token",
		"the bpffs delegates more than the manifest lists: delegate_progs=any",
		"loaded until a signal comes",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not said", want)
		}
	}
	if !strings.Contains(stopped, "ActiveState=inactive") || !strings.Contains(stopped, "Result=success") {
		t.Error("it was not stopped well")
	}
}
