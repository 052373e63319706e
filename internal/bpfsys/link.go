//go:build linux

package bpfsys

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// linkCreateAttr is the part of BPF_LINK_CREATE's attributes that most kinds of
// links need.
type linkCreateAttr struct {
	progFD     uint32
	targetFD   uint32
	attachType uint32
	flags      uint32
	cookie     uint64
}

// CreatePerfEventLink is BPF_LINK_CREATE of a program to a perf event.
func CreatePerfEventLink(prog *FD, event *FD) (*FD, error) {
	e, err := event.number()
	if err != nil {
		return nil, err
	}
	return CreateLink(prog, e, bpfabi.AttachPerfEvent)
}

// CreateLink is BPF_LINK_CREATE of a program to a descriptor, an interface's
// index, or, with 0, to what it was loaded for.
func CreateLink(prog *FD, target uint32, attachType bpfabi.AttachType) (*FD, error) {
	p, err := prog.number()
	if err != nil {
		return nil, err
	}
	attr := &linkCreateAttr{progFD: p, targetFD: target, attachType: uint32(attachType)}
	return callFD(bpfabi.CommandLinkCreate, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
}

// kprobeMultiAttr is the part of BPF_LINK_CREATE's attributes for many kernel
// functions at once.
type kprobeMultiAttr struct {
	progFD     uint32
	targetFD   uint32
	attachType uint32
	flags      uint32
	multiFlags uint32
	count      uint32
	symbols    unsafe.Pointer
	addresses  unsafe.Pointer
	cookies    unsafe.Pointer
}

// kprobeMultiReturn is BPF_F_KPROBE_MULTI_RETURN.
const kprobeMultiReturn = 1

// CreateKProbeMultiLink is BPF_LINK_CREATE of a program to kernel functions, to
// their ends if onReturn is true. attachType is trace_kprobe_multi or
// trace_kprobe_session.
func CreateKProbeMultiLink(prog *FD, attachType bpfabi.AttachType, functions []string, onReturn bool) (*FD, error) {
	p, err := prog.number()
	if err != nil {
		return nil, err
	}
	symbols := make([]*byte, 0, len(functions))
	for _, f := range functions {
		s, err := unix.BytePtrFromString(f)
		if err != nil {
			return nil, err
		}
		symbols = append(symbols, s)
	}
	attr := &kprobeMultiAttr{progFD: p, attachType: uint32(attachType), count: uint32(len(symbols)), symbols: unsafe.Pointer(unsafe.SliceData(symbols))}
	if onReturn {
		attr.multiFlags = kprobeMultiReturn
	}
	fd, err := callFD(bpfabi.CommandLinkCreate, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(symbols)
	return fd, err
}

// uprobeMultiAttr is the part of BPF_LINK_CREATE's attributes for many functions
// of a file at once.
type uprobeMultiAttr struct {
	progFD     uint32
	targetFD   uint32
	attachType uint32
	flags      uint32
	path       unsafe.Pointer
	offsets    unsafe.Pointer
	counters   unsafe.Pointer
	cookies    unsafe.Pointer
	count      uint32
	multiFlags uint32
	pid        uint32 // 0: every process
	_          uint32
}

// uprobeMultiReturn is BPF_F_UPROBE_MULTI_RETURN.
const uprobeMultiReturn = 1

// CreateUProbeMultiLink is BPF_LINK_CREATE of a program to functions of a file, at
// offsets in it, to their ends if onReturn is true. attachType is
// trace_uprobe_multi or trace_uprobe_session.
func CreateUProbeMultiLink(prog *FD, attachType bpfabi.AttachType, file string, offsets []uint64, onReturn bool) (*FD, error) {
	p, err := prog.number()
	if err != nil {
		return nil, err
	}
	path, err := unix.BytePtrFromString(file)
	if err != nil {
		return nil, err
	}
	attr := &uprobeMultiAttr{progFD: p, attachType: uint32(attachType), path: unsafe.Pointer(path),
		offsets: unsafe.Pointer(unsafe.SliceData(offsets)), count: uint32(len(offsets))}
	if onReturn {
		attr.multiFlags = uprobeMultiReturn
	}
	fd, err := callFD(bpfabi.CommandLinkCreate, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(path)
	runtime.KeepAlive(offsets)
	return fd, err
}

// rawTracepointAttr is what BPF_RAW_TRACEPOINT_OPEN reads.
type rawTracepointAttr struct {
	name   unsafe.Pointer
	progFD uint32
	_      uint32
}

// OpenRawTracepoint is BPF_RAW_TRACEPOINT_OPEN: it attaches a program to the
// tracepoint of that name, or with none to what it was loaded for.
func OpenRawTracepoint(name string, prog *FD) (*FD, error) {
	p, err := prog.number()
	if err != nil {
		return nil, err
	}
	var s *byte
	if name != "" {
		if s, err = unix.BytePtrFromString(name); err != nil {
			return nil, err
		}
	}
	attr := &rawTracepointAttr{name: unsafe.Pointer(s), progFD: p}
	fd, err := callFD(bpfabi.CommandRawTracepointOpen, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(s)
	return fd, err
}

// linkInfo is struct bpf_link_info: three common fields and a union that
// starts at the next multiple of eight, which is read by hand.
type linkInfo struct {
	linkType uint32
	id       uint32
	progID   uint32
	_        uint32
	union    [48]byte
}

// namedLinkInfo is the same for the kinds of links that return a name. The
// address has a field of its own, because the garbage collector must see it,
// and because for other kinds the kernel writes numbers there.
type namedLinkInfo struct {
	linkType uint32
	id       uint32
	progID   uint32
	_        uint32
	name     unsafe.Pointer
	nameLen  uint32
	rest     [36]byte
}

// LinkInfo is what the kernel tells about a link. Fields that a link's type
// does not have are zero.
type LinkInfo struct {
	Type        bpfabi.LinkType
	ID          uint32
	ProgramID   uint32
	AttachType  bpfabi.AttachType // tracing, cgroup, netns, tcx, netkit
	TargetObjID uint32            // tracing: BTF object, or program for freplace
	TargetBTFID uint32            // tracing
	CgroupID    uint64            // cgroup
	NetnsInode  uint32            // netns
	Ifindex     uint32            // xdp, tcx, netkit
	Protocol    uint32            // netfilter: NFPROTO_*
	Hook        uint32            // netfilter
	Priority    int32             // netfilter
	Tracepoint  string            // raw_tracepoint
	Target      string            // iter: what it walks
	MapID       uint32            // struct_ops
}

// GetLinkInfo is BPF_OBJ_GET_INFO_BY_FD of a link.
func GetLinkInfo(link *FD) (LinkInfo, error) {
	info := new(linkInfo)
	if err := getInfo(link, unsafe.Pointer(info), unsafe.Sizeof(*info)); err != nil {
		return LinkInfo{}, err
	}
	out := LinkInfo{Type: bpfabi.LinkType(info.linkType), ID: info.id, ProgramID: info.progID}
	order := binary.NativeEndian
	word := func(i int) uint32 { return order.Uint32(info.union[4*i:]) }
	switch out.Type {
	case bpfabi.LinkTracing:
		out.AttachType, out.TargetObjID, out.TargetBTFID = bpfabi.AttachType(word(0)), word(1), word(2)
	case bpfabi.LinkCgroup:
		out.CgroupID, out.AttachType = order.Uint64(info.union[:]), bpfabi.AttachType(word(2))
	case bpfabi.LinkStructOps:
		out.MapID = word(0)
	case bpfabi.LinkNetNS:
		out.NetnsInode, out.AttachType = word(0), bpfabi.AttachType(word(1))
	case bpfabi.LinkXDP:
		out.Ifindex = word(0)
	case bpfabi.LinkTCX, bpfabi.LinkNetkit:
		out.Ifindex, out.AttachType = word(0), bpfabi.AttachType(word(1))
	case bpfabi.LinkNetfilter:
		out.Protocol, out.Hook, out.Priority = word(0), word(1), int32(word(2))
	case bpfabi.LinkRawTracepoint, bpfabi.LinkIter:
		name, err := linkName(link)
		if err != nil {
			return LinkInfo{}, err
		}
		if out.Type == bpfabi.LinkIter {
			out.Target = name
		} else {
			out.Tracepoint = name
		}
	}
	return out, nil
}

// linkName asks once more for the name of a link's target, which the kernel
// writes to a buffer.
func linkName(link *FD) (string, error) {
	buf := make([]byte, 256) // KSYM_NAME_LEN is 512, but tracepoints and iterators are short
	info := &namedLinkInfo{name: bytesPointer(buf), nameLen: uint32(len(buf))}
	err := getInfo(link, unsafe.Pointer(info), unsafe.Sizeof(*info))
	runtime.KeepAlive(buf)
	return unix.ByteSliceToString(buf), err
}

// linkUpdateAttr is what BPF_LINK_UPDATE reads.
type linkUpdateAttr struct {
	linkFD    uint32
	newProgFD uint32
	flags     uint32
	oldProgFD uint32
}

// linkReplace is BPF_F_REPLACE.
const linkReplace = 1 << 2

// UpdateLink is BPF_LINK_UPDATE: the link runs program next instead of previous,
// without a moment in which it runs neither. It fails if the link runs another
// one than previous.
func UpdateLink(link, next, previous *FD) error {
	l, err := link.number()
	if err != nil {
		return err
	}
	n, err := next.number()
	if err != nil {
		return err
	}
	p, err := previous.number()
	if err != nil {
		return err
	}
	attr := &linkUpdateAttr{linkFD: l, newProgFD: n, flags: linkReplace, oldProgFD: p}
	_, err = call(bpfabi.CommandLinkUpdate, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	return err
}
