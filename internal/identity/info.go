//go:build linux

package identity

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of bpf(2) and where their attributes are (include/uapi/linux/bpf.h).
const (
	commandLookup      = 1
	commandNextKey     = 4
	commandInfo        = 15
	commandLookupBatch = 24
)

func bpf(command int, attr []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(unsafe.Pointer(&attr[0])), uintptr(len(attr)))
	if errno != 0 {
		return errno
	}
	return nil
}

// attributes are an attr with the fields that a command takes; pinned keeps
// the memory that it points to where it is.
type attributes struct {
	raw    []byte
	pinned runtime.Pinner
}

func newAttributes(size int) *attributes { return &attributes{raw: make([]byte, size)} }

func (a *attributes) put32(at int, v uint32) { binary.NativeEndian.PutUint32(a.raw[at:], v) }
func (a *attributes) get32(at int) uint32    { return binary.NativeEndian.Uint32(a.raw[at:]) }

func (a *attributes) point(at int, b []byte) {
	if len(b) == 0 {
		return
	}
	a.pinned.Pin(&b[0])
	binary.NativeEndian.PutUint64(a.raw[at:], uint64(uintptr(unsafe.Pointer(&b[0]))))
}

func (a *attributes) call(command int) error {
	a.pinned.Pin(&a.raw[0])
	defer a.pinned.Unpin()
	return bpf(command, a.raw)
}

// info fills an info struct of a descriptor, in and out.
func info(fd int, into []byte) error {
	a := newAttributes(16)
	a.put32(0, uint32(fd))
	a.put32(4, uint32(len(into)))
	a.point(8, into)
	return a.call(commandInfo)
}

// Of struct bpf_prog_info.
const (
	progType       = 0
	progID         = 4
	progTag        = 8
	progXlatedLen  = 20
	progXlated     = 32
	progMapCount   = 52
	progMaps       = 56
	progName       = 64
	progGPL        = 84
	progTargetBTF  = 220
	progTargetType = 224
	progInfoSize   = 232

	maxMaps = 64 // of one program
)

// progInfo is what the kernel tells of a program.
type progInfo struct {
	typ, id               uint32
	tag                   [8]byte
	name                  string
	gpl                   bool
	targetBTF, targetType uint32
	maps                  []uint32 // ids
	xlated                []byte
}

func readProgram(fd int) (*progInfo, error) {
	first := make([]byte, progInfoSize)
	if err := info(fd, first); err != nil {
		return nil, err
	}
	xlated := make([]byte, binary.NativeEndian.Uint32(first[progXlatedLen:]))
	ids := make([]byte, 4*maxMaps)
	a := &attributes{raw: make([]byte, progInfoSize)}
	a.put32(progXlatedLen, uint32(len(xlated)))
	a.point(progXlated, xlated)
	a.put32(progMapCount, maxMaps)
	a.point(progMaps, ids)
	defer a.pinned.Unpin()
	if err := info(fd, a.raw); err != nil {
		return nil, err
	}
	switch n := a.get32(progXlatedLen); {
	case n == 0 || int(n) != len(xlated):
		return nil, fmt.Errorf("the kernel gave %d of %d bytes of instructions", n, len(xlated))
	case binary.NativeEndian.Uint64(a.raw[progXlated:]) == 0:
		return nil, fmt.Errorf("the kernel does not show its instructions to this process")
	case a.get32(progMapCount) > maxMaps:
		return nil, fmt.Errorf("it uses %d maps", a.get32(progMapCount))
	}
	p := &progInfo{
		typ: a.get32(progType), id: a.get32(progID), tag: [8]byte(a.raw[progTag:]), name: text(a.raw[progName:][:16]),
		gpl: a.get32(progGPL)&1 != 0, targetBTF: a.get32(progTargetBTF), targetType: a.get32(progTargetType), xlated: xlated,
	}
	for i := range a.get32(progMapCount) {
		p.maps = append(p.maps, binary.NativeEndian.Uint32(ids[4*i:]))
	}
	return p, nil
}

// Of struct bpf_map_info.
const (
	mapType        = 0
	mapID          = 4
	mapKeySize     = 8
	mapValueSize   = 12
	mapMaxEntries  = 16
	mapFlags       = 20
	mapName        = 24
	mapKernelType  = 44
	mapBTF         = 64
	mapKeyType     = 68
	mapValueType   = 72
	mapKernelBTF   = 76
	mapExtra       = 80
	mapInfoSize    = 88
	valueAlignment = 8 // of each CPU's value
)

// mapInfo is what the kernel tells of a map.
type mapInfo struct {
	typ, id, keySize, valueSize, maxEntries, flags uint32
	kernelType                                     uint32 // of struct_ops
	btf, keyType, valueType                        uint32
	extra                                          uint64
	name                                           string
	frozen                                         bool
}

func readMap(fd int) (*mapInfo, error) {
	a := &attributes{raw: make([]byte, mapInfoSize)}
	if err := info(fd, a.raw); err != nil {
		return nil, err
	}
	about, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return nil, err
	}
	_, frozen, ok := bytes.Cut(about, []byte("\nfrozen:\t"))
	if !ok {
		return nil, fmt.Errorf("the kernel does not tell whether it is frozen")
	}
	return &mapInfo{
		typ: a.get32(mapType), id: a.get32(mapID), keySize: a.get32(mapKeySize), valueSize: a.get32(mapValueSize),
		maxEntries: a.get32(mapMaxEntries), flags: a.get32(mapFlags), kernelType: a.get32(mapKernelType),
		btf: a.get32(mapBTF), keyType: a.get32(mapKeyType), valueType: a.get32(mapValueType),
		extra: binary.NativeEndian.Uint64(a.raw[mapExtra:]), name: text(a.raw[mapName:][:16]), frozen: frozen[0] == '1',
	}, nil
}

func text(b []byte) string { return unix.ByteSliceToString(b) }
