package bpfabi

// ProgramType is the kernel's number of a program type.
type ProgramType uint32

// The program types of Linux 7.3 (include/uapi/linux/bpf.h, enum bpf_prog_type).
const (
	ProgramUnspec                ProgramType = 0
	ProgramSocketFilter          ProgramType = 1
	ProgramKProbe                ProgramType = 2
	ProgramSchedCls              ProgramType = 3
	ProgramSchedAct              ProgramType = 4
	ProgramTracepoint            ProgramType = 5
	ProgramXDP                   ProgramType = 6
	ProgramPerfEvent             ProgramType = 7
	ProgramCgroupSKB             ProgramType = 8
	ProgramCgroupSock            ProgramType = 9
	ProgramLWTIn                 ProgramType = 10
	ProgramLWTOut                ProgramType = 11
	ProgramLWTXmit               ProgramType = 12
	ProgramSockOps               ProgramType = 13
	ProgramSkSKB                 ProgramType = 14
	ProgramCgroupDevice          ProgramType = 15
	ProgramSkMsg                 ProgramType = 16
	ProgramRawTracepoint         ProgramType = 17
	ProgramCgroupSockAddr        ProgramType = 18
	ProgramLWTSEG6Local          ProgramType = 19
	ProgramLIRCMode2             ProgramType = 20
	ProgramSkReuseport           ProgramType = 21
	ProgramFlowDissector         ProgramType = 22
	ProgramCgroupSysctl          ProgramType = 23
	ProgramRawTracepointWritable ProgramType = 24
	ProgramCgroupSockopt         ProgramType = 25
	ProgramTracing               ProgramType = 26
	ProgramStructOps             ProgramType = 27
	ProgramExt                   ProgramType = 28
	ProgramLSM                   ProgramType = 29
	ProgramSkLookup              ProgramType = 30
	ProgramSyscall               ProgramType = 31
	ProgramNetfilter             ProgramType = 32
)

// String returns the kernel's name of the program type, or "program type(N)" for a number
// that Linux 7.3 does not have.
func (t ProgramType) String() string { return nameOf(programTypeTable[:], "program type", uint32(t)) }

// ParseProgramType is the inverse of String for the names that Linux 7.3 has. It knows
// no other spelling.
func ParseProgramType(name string) (ProgramType, error) {
	n, err := numberOf(programTypeTable[:], "program type", name)
	return ProgramType(n), err
}

// programTypeTable has the names by number.
var programTypeTable = [...]string{
	ProgramUnspec:                "unspec",
	ProgramSocketFilter:          "socket_filter",
	ProgramKProbe:                "kprobe",
	ProgramSchedCls:              "sched_cls",
	ProgramSchedAct:              "sched_act",
	ProgramTracepoint:            "tracepoint",
	ProgramXDP:                   "xdp",
	ProgramPerfEvent:             "perf_event",
	ProgramCgroupSKB:             "cgroup_skb",
	ProgramCgroupSock:            "cgroup_sock",
	ProgramLWTIn:                 "lwt_in",
	ProgramLWTOut:                "lwt_out",
	ProgramLWTXmit:               "lwt_xmit",
	ProgramSockOps:               "sock_ops",
	ProgramSkSKB:                 "sk_skb",
	ProgramCgroupDevice:          "cgroup_device",
	ProgramSkMsg:                 "sk_msg",
	ProgramRawTracepoint:         "raw_tracepoint",
	ProgramCgroupSockAddr:        "cgroup_sock_addr",
	ProgramLWTSEG6Local:          "lwt_seg6local",
	ProgramLIRCMode2:             "lirc_mode2",
	ProgramSkReuseport:           "sk_reuseport",
	ProgramFlowDissector:         "flow_dissector",
	ProgramCgroupSysctl:          "cgroup_sysctl",
	ProgramRawTracepointWritable: "raw_tracepoint_writable",
	ProgramCgroupSockopt:         "cgroup_sockopt",
	ProgramTracing:               "tracing",
	ProgramStructOps:             "struct_ops",
	ProgramExt:                   "ext",
	ProgramLSM:                   "lsm",
	ProgramSkLookup:              "sk_lookup",
	ProgramSyscall:               "syscall",
	ProgramNetfilter:             "netfilter",
}
