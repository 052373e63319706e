package bpfabi

// Flags of map_flags in BPF_MAP_CREATE, as far as tbpf looks at them
// (include/uapi/linux/bpf.h).
const (
	MapFlagReadOnlyProgram = 1 << 7  // BPF_F_RDONLY_PROG
	MapFlagMmapable        = 1 << 10 // BPF_F_MMAPABLE
	MapFlagSegvOnFault     = 1 << 17 // BPF_F_SEGV_ON_FAULT
	MapFlagInnerMap        = 1 << 12 // BPF_F_INNER_MAP
	MapFlagVtypeBTF        = 1 << 15 // BPF_F_VTYPE_BTF_OBJ_FD
)

// Flags of prog_flags in BPF_PROG_LOAD.
const (
	ProgramFlagSleepable   = 1 << 4 // BPF_F_SLEEPABLE
	ProgramFlagXDPHasFrags = 1 << 5 // BPF_F_XDP_HAS_FRAGS
)

// FlagToken is BPF_F_TOKEN_FD, in map_flags, prog_flags and btf_flags alike:
// the command's token_fd field is valid.
const FlagToken = 1 << 16

// NameSize is BPF_OBJ_NAME_LEN: the kernel's names of programs and maps are at
// most one byte shorter.
const NameSize = 16
