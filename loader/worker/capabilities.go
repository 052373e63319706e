//go:build linux

package worker

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// capabilities is a set, by the kernel's numbers.
type capabilities uint64

// grantable are the capabilities that a manifest may ask for. CAP_SYSLOG is
// not: what needs it asks for it in the initial user namespace
// (kernel/kallsyms.c, kallsyms_show_value).
var grantable = map[string]int{
	"CAP_BPF": unix.CAP_BPF, "CAP_PERFMON": unix.CAP_PERFMON, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN,
}

// parseCapabilities makes a set of names.
func parseCapabilities(names []string) (capabilities, error) {
	var set capabilities
	for _, name := range names {
		n, ok := grantable[name]
		if !ok {
			return 0, &UngrantableError{Name: name}
		}
		set |= 1 << n
	}
	return set, nil
}

// UngrantableError is a capability that no worker can be given.
type UngrantableError struct{ Name string }

func (e *UngrantableError) Error() string {
	if e.Name == "CAP_SYSLOG" {
		return "CAP_SYSLOG is asked for in the initial user namespace, which a worker is not in: the object looks up addresses of kernel symbols"
	}
	return fmt.Sprintf("no worker is given %q", e.Name)
}
