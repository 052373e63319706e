package bpfabi

// LinkType is the kernel's number of a link type, as BPF_OBJ_GET_INFO_BY_FD
// reports it.
type LinkType uint32

// The link types of Linux 7.3 (include/uapi/linux/bpf.h, enum bpf_link_type).
const (
	LinkUnspec        LinkType = 0
	LinkRawTracepoint LinkType = 1
	LinkTracing       LinkType = 2
	LinkCgroup        LinkType = 3
	LinkIter          LinkType = 4
	LinkNetNS         LinkType = 5
	LinkXDP           LinkType = 6
	LinkPerfEvent     LinkType = 7
	LinkKProbeMulti   LinkType = 8
	LinkStructOps     LinkType = 9
	LinkNetfilter     LinkType = 10
	LinkTCX           LinkType = 11
	LinkUProbeMulti   LinkType = 12
	LinkNetkit        LinkType = 13
	LinkSockMap       LinkType = 14
	LinkTracingMulti  LinkType = 15
)

// String returns the kernel's name of the link type, or "link type(N)" for a number
// that Linux 7.3 does not have.
func (t LinkType) String() string { return nameOf(linkTypeTable[:], "link type", uint32(t)) }

// ParseLinkType is the inverse of String for the names that Linux 7.3 has. It knows
// no other spelling.
func ParseLinkType(name string) (LinkType, error) {
	n, err := numberOf(linkTypeTable[:], "link type", name)
	return LinkType(n), err
}

// linkTypeTable has the names by number.
var linkTypeTable = [...]string{
	LinkUnspec:        "unspec",
	LinkRawTracepoint: "raw_tracepoint",
	LinkTracing:       "tracing",
	LinkCgroup:        "cgroup",
	LinkIter:          "iter",
	LinkNetNS:         "netns",
	LinkXDP:           "xdp",
	LinkPerfEvent:     "perf_event",
	LinkKProbeMulti:   "kprobe_multi",
	LinkStructOps:     "struct_ops",
	LinkNetfilter:     "netfilter",
	LinkTCX:           "tcx",
	LinkUProbeMulti:   "uprobe_multi",
	LinkNetkit:        "netkit",
	LinkSockMap:       "sockmap",
	LinkTracingMulti:  "tracing_multi",
}
