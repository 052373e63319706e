package bpfabi

// AttachType is the kernel's number of an attach type. 0 is both
// cgroup_inet_ingress and "none given".
type AttachType uint32

// The attach types of Linux 7.3 (include/uapi/linux/bpf.h, enum bpf_attach_type).
const (
	AttachCgroupInetIngress          AttachType = 0
	AttachCgroupInetEgress           AttachType = 1
	AttachCgroupInetSockCreate       AttachType = 2
	AttachCgroupSockOps              AttachType = 3
	AttachSkSKBStreamParser          AttachType = 4
	AttachSkSKBStreamVerdict         AttachType = 5
	AttachCgroupDevice               AttachType = 6
	AttachSkMsgVerdict               AttachType = 7
	AttachCgroupInet4Bind            AttachType = 8
	AttachCgroupInet6Bind            AttachType = 9
	AttachCgroupInet4Connect         AttachType = 10
	AttachCgroupInet6Connect         AttachType = 11
	AttachCgroupInet4PostBind        AttachType = 12
	AttachCgroupInet6PostBind        AttachType = 13
	AttachCgroupUDP4Sendmsg          AttachType = 14
	AttachCgroupUDP6Sendmsg          AttachType = 15
	AttachLIRCMode2                  AttachType = 16
	AttachFlowDissector              AttachType = 17
	AttachCgroupSysctl               AttachType = 18
	AttachCgroupUDP4Recvmsg          AttachType = 19
	AttachCgroupUDP6Recvmsg          AttachType = 20
	AttachCgroupGetsockopt           AttachType = 21
	AttachCgroupSetsockopt           AttachType = 22
	AttachTraceRawTP                 AttachType = 23
	AttachTraceFentry                AttachType = 24
	AttachTraceFexit                 AttachType = 25
	AttachModifyReturn               AttachType = 26
	AttachLSMMac                     AttachType = 27
	AttachTraceIter                  AttachType = 28
	AttachCgroupInet4Getpeername     AttachType = 29
	AttachCgroupInet6Getpeername     AttachType = 30
	AttachCgroupInet4Getsockname     AttachType = 31
	AttachCgroupInet6Getsockname     AttachType = 32
	AttachXDPDevMap                  AttachType = 33
	AttachCgroupInetSockRelease      AttachType = 34
	AttachXDPCPUMap                  AttachType = 35
	AttachSkLookup                   AttachType = 36
	AttachXDP                        AttachType = 37
	AttachSkSKBVerdict               AttachType = 38
	AttachSkReuseportSelect          AttachType = 39
	AttachSkReuseportSelectOrMigrate AttachType = 40
	AttachPerfEvent                  AttachType = 41
	AttachTraceKProbeMulti           AttachType = 42
	AttachLSMCgroup                  AttachType = 43
	AttachStructOps                  AttachType = 44
	AttachNetfilter                  AttachType = 45
	AttachTCXIngress                 AttachType = 46
	AttachTCXEgress                  AttachType = 47
	AttachTraceUProbeMulti           AttachType = 48
	AttachCgroupUnixConnect          AttachType = 49
	AttachCgroupUnixSendmsg          AttachType = 50
	AttachCgroupUnixRecvmsg          AttachType = 51
	AttachCgroupUnixGetpeername      AttachType = 52
	AttachCgroupUnixGetsockname      AttachType = 53
	AttachNetkitPrimary              AttachType = 54
	AttachNetkitPeer                 AttachType = 55
	AttachTraceKProbeSession         AttachType = 56
	AttachTraceUProbeSession         AttachType = 57
	AttachTraceFsession              AttachType = 58
	AttachTraceFentryMulti           AttachType = 59
	AttachTraceFexitMulti            AttachType = 60
	AttachTraceFsessionMulti         AttachType = 61
)

// String returns the kernel's name of the attach type, or "attach type(N)" for a number
// that Linux 7.3 does not have.
func (t AttachType) String() string { return nameOf(attachTypeTable[:], "attach type", uint32(t)) }

// ParseAttachType is the inverse of String for the names that Linux 7.3 has. It knows
// no other spelling.
func ParseAttachType(name string) (AttachType, error) {
	n, err := numberOf(attachTypeTable[:], "attach type", name)
	return AttachType(n), err
}

// attachTypeTable has the names by number.
var attachTypeTable = [...]string{
	AttachCgroupInetIngress:          "cgroup_inet_ingress",
	AttachCgroupInetEgress:           "cgroup_inet_egress",
	AttachCgroupInetSockCreate:       "cgroup_inet_sock_create",
	AttachCgroupSockOps:              "cgroup_sock_ops",
	AttachSkSKBStreamParser:          "sk_skb_stream_parser",
	AttachSkSKBStreamVerdict:         "sk_skb_stream_verdict",
	AttachCgroupDevice:               "cgroup_device",
	AttachSkMsgVerdict:               "sk_msg_verdict",
	AttachCgroupInet4Bind:            "cgroup_inet4_bind",
	AttachCgroupInet6Bind:            "cgroup_inet6_bind",
	AttachCgroupInet4Connect:         "cgroup_inet4_connect",
	AttachCgroupInet6Connect:         "cgroup_inet6_connect",
	AttachCgroupInet4PostBind:        "cgroup_inet4_post_bind",
	AttachCgroupInet6PostBind:        "cgroup_inet6_post_bind",
	AttachCgroupUDP4Sendmsg:          "cgroup_udp4_sendmsg",
	AttachCgroupUDP6Sendmsg:          "cgroup_udp6_sendmsg",
	AttachLIRCMode2:                  "lirc_mode2",
	AttachFlowDissector:              "flow_dissector",
	AttachCgroupSysctl:               "cgroup_sysctl",
	AttachCgroupUDP4Recvmsg:          "cgroup_udp4_recvmsg",
	AttachCgroupUDP6Recvmsg:          "cgroup_udp6_recvmsg",
	AttachCgroupGetsockopt:           "cgroup_getsockopt",
	AttachCgroupSetsockopt:           "cgroup_setsockopt",
	AttachTraceRawTP:                 "trace_raw_tp",
	AttachTraceFentry:                "trace_fentry",
	AttachTraceFexit:                 "trace_fexit",
	AttachModifyReturn:               "modify_return",
	AttachLSMMac:                     "lsm_mac",
	AttachTraceIter:                  "trace_iter",
	AttachCgroupInet4Getpeername:     "cgroup_inet4_getpeername",
	AttachCgroupInet6Getpeername:     "cgroup_inet6_getpeername",
	AttachCgroupInet4Getsockname:     "cgroup_inet4_getsockname",
	AttachCgroupInet6Getsockname:     "cgroup_inet6_getsockname",
	AttachXDPDevMap:                  "xdp_devmap",
	AttachCgroupInetSockRelease:      "cgroup_inet_sock_release",
	AttachXDPCPUMap:                  "xdp_cpumap",
	AttachSkLookup:                   "sk_lookup",
	AttachXDP:                        "xdp",
	AttachSkSKBVerdict:               "sk_skb_verdict",
	AttachSkReuseportSelect:          "sk_reuseport_select",
	AttachSkReuseportSelectOrMigrate: "sk_reuseport_select_or_migrate",
	AttachPerfEvent:                  "perf_event",
	AttachTraceKProbeMulti:           "trace_kprobe_multi",
	AttachLSMCgroup:                  "lsm_cgroup",
	AttachStructOps:                  "struct_ops",
	AttachNetfilter:                  "netfilter",
	AttachTCXIngress:                 "tcx_ingress",
	AttachTCXEgress:                  "tcx_egress",
	AttachTraceUProbeMulti:           "trace_uprobe_multi",
	AttachCgroupUnixConnect:          "cgroup_unix_connect",
	AttachCgroupUnixSendmsg:          "cgroup_unix_sendmsg",
	AttachCgroupUnixRecvmsg:          "cgroup_unix_recvmsg",
	AttachCgroupUnixGetpeername:      "cgroup_unix_getpeername",
	AttachCgroupUnixGetsockname:      "cgroup_unix_getsockname",
	AttachNetkitPrimary:              "netkit_primary",
	AttachNetkitPeer:                 "netkit_peer",
	AttachTraceKProbeSession:         "trace_kprobe_session",
	AttachTraceUProbeSession:         "trace_uprobe_session",
	AttachTraceFsession:              "trace_fsession",
	AttachTraceFentryMulti:           "trace_fentry_multi",
	AttachTraceFexitMulti:            "trace_fexit_multi",
	AttachTraceFsessionMulti:         "trace_fsession_multi",
}
