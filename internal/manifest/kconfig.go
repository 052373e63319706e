package manifest

import (
	"strings"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// SourceKconfig is the source of inputs that a program declares __kconfig: they
// are no settings, but facts about the kernel that it runs on.
const SourceKconfig = "kconfig"

// KconfigMap is the map that has them.
const KconfigMap = ".kconfig"

// Names of facts that are in no configuration begin with one word, those of the
// configuration's options with another.
const (
	KernelVersion     = "LINUX_KERNEL_VERSION"
	HasAttachCookie   = "LINUX_HAS_BPF_COOKIE"
	HasSyscallWrapper = "LINUX_HAS_SYSCALL_WRAPPER"

	VirtualPrefix = "LINUX_"
	ConfigPrefix  = "CONFIG_"
)

// IsConfig reports whether the value is that of an option of the kernel's
// configuration.
func (t *Tunable) IsConfig() bool {
	return t.Source != "" && strings.HasPrefix(t.Name, ConfigPrefix)
}

// isFact reports whether it can be a variable of .kconfig in a map that stays as
// it was filled.
func (t *Tunable) isFact(in *Map) bool {
	return t.Source == SourceKconfig && in.Name == KconfigMap && in.Frozen && in.Flags&bpfabi.MapFlagReadOnlyProgram != 0 &&
		(t.IsConfig() || strings.HasPrefix(t.Name, VirtualPrefix))
}
