//go:build vmguest

package loader

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/keys/keyring"
)

// The session keyring in which the signers are put is not the one that the
// worker was started with: its threads would possess them.
func TestStartWorkerLeavesTheSessionKeyring(t *testing.T) {
	if have, err := bpfsys.HaveTokens(); err != nil || !have {
		t.Skip("this kernel has no tokens")
	}
	m := &manifest.Manifest{Capabilities: []string{"CAP_BPF", "CAP_PERFMON"}, Delegation: manifest.Delegation{
		Commands: []string{"map_create", "prog_load"}, Maps: []string{"array"}, Programs: []string{"syscall"}, AttachTypes: []string{"cgroup_inet_ingress"},
	}}
	session := func() (int, error) {
		return unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	}
	err := kernelload.OnThread(func() error {
		if err := keyring.Isolate(); err != nil {
			return err
		}
		before, err := session()
		if err != nil {
			return err
		}
		w, err := startWorker(m, Options{Isolate: true})
		if err != nil {
			return err
		}
		after, err := session()
		if err == nil && after == before {
			err = errors.New("it is the same")
		}
		return errors.Join(err, w.Close())
	})
	if err != nil {
		t.Error(err)
	}
}
