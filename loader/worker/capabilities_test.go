//go:build linux

package worker

import (
	"errors"
	"testing"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

func TestCapabilities(t *testing.T) {
	set, err := parseCapabilities([]string{"CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"})
	if err != nil || set != 1<<39|1<<12|1<<38 {
		t.Errorf("%#x, %v", set, err)
	}
	for _, name := range []string{"CAP_SYSLOG", "CAP_SYS_ADMIN", "CAP_SYS_MODULE", "cap_bpf", ""} {
		var ungrantable *UngrantableError
		if _, err := parseCapabilities([]string{"CAP_BPF", name}); !errors.As(err, &ungrantable) || ungrantable.Name != name {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestMasks(t *testing.T) {
	m, err := newMasks(manifest.Delegation{
		Commands: []string{"map_create", "prog_load"}, Maps: []string{"array"}, Programs: []string{"syscall"}, AttachTypes: []string{"cgroup_inet_ingress", "lsm_mac"},
	})
	if want := (masks{1<<0 | 1<<5, 1 << 2, 1 << 31, 1<<0 | 1<<27}); err != nil || m != want {
		t.Errorf("%+v, %v; want %+v", m, err, want)
	}
	for _, name := range []string{"any", "0xff", "array:hash", ""} {
		if m, err := newMasks(manifest.Delegation{Maps: []string{name}}); err == nil {
			t.Errorf("%q is %+v", name, m)
		}
	}
	// Nothing would say that the descriptor is a bpffs.
	if err := (masks{maps: 1}).apply(-1); err == nil {
		t.Error("a delegation without commands was applied")
	}
}
