//go:build linux

package bpfsys

import (
	"crypto/sha256"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// infoAttr is what BPF_OBJ_GET_INFO_BY_FD reads.
type infoAttr struct {
	bpfFD   uint32
	infoLen uint32
	info    unsafe.Pointer
}

// getInfo fills the size bytes at info. Kernels that know a shorter struct
// fill what they know and leave the rest, provided that it is zero.
func getInfo(fd *FD, info unsafe.Pointer, size uintptr) error {
	n, err := fd.number()
	if err != nil {
		return err
	}
	attr := &infoAttr{bpfFD: n, infoLen: uint32(size), info: info}
	_, err = call(bpfabi.CommandObjGetInfoByFD, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(info)
	return err
}

// maxProgramMaps is the kernel's MAX_USED_MAPS (include/linux/bpf_verifier.h).
const maxProgramMaps = 64

// progInfo is struct bpf_prog_info up to attach_btf_id (6.1: the same).
type progInfo struct {
	progType             uint32
	id                   uint32
	tag                  [8]byte
	jitedProgLen         uint32
	xlatedProgLen        uint32
	jitedProgInsns       uint64
	xlatedProgInsns      uint64
	loadTime             uint64
	createdByUID         uint32
	nrMapIDs             uint32
	mapIDs               unsafe.Pointer
	name                 [bpfabi.NameSize]byte
	ifindex              uint32
	gplCompatible        uint32 // bit 0
	netnsDev             uint64
	netnsIno             uint64
	nrJitedKsyms         uint32
	nrJitedFuncLens      uint32
	jitedKsyms           uint64
	jitedFuncLens        uint64
	btfID                uint32
	funcInfoRecSize      uint32
	funcInfo             uint64
	nrFuncInfo           uint32
	nrLineInfo           uint32
	lineInfo             uint64
	jitedLineInfo        uint64
	nrJitedLineInfo      uint32
	lineInfoRecSize      uint32
	jitedLineInfoRecSize uint32
	nrProgTags           uint32
	progTags             uint64
	runTimeNS            uint64
	runCnt               uint64
	recursionMisses      uint64
	verifiedInsns        uint32
	attachBTFObjID       uint32
	attachBTFID          uint32
	_                    uint32
}

// ProgramInfo is what the kernel tells about a program.
type ProgramInfo struct {
	Type           bpfabi.ProgramType
	ID             uint32
	Tag            [8]byte
	Name           string
	GPLCompatible  bool
	MapIDs         []uint32
	LoadTime       uint64 // ns since boot
	CreatedBy      uint32 // user id
	BTFID          uint32
	AttachBTFObjID uint32 // BTF object of the attach target, 0 if none, or if the caller lacks CAP_BPF
	AttachBTFID    uint32 // type in it, the same
}

// GetProgramInfo is BPF_OBJ_GET_INFO_BY_FD of a program.
func GetProgramInfo(prog *FD) (ProgramInfo, error) {
	ids := make([]uint32, maxProgramMaps)
	info := &progInfo{nrMapIDs: maxProgramMaps, mapIDs: unsafe.Pointer(unsafe.SliceData(ids))}
	err := getInfo(prog, unsafe.Pointer(info), unsafe.Sizeof(*info))
	runtime.KeepAlive(ids)
	if err != nil {
		return ProgramInfo{}, err
	}
	if info.nrMapIDs > maxProgramMaps {
		return ProgramInfo{}, &Error{Command: bpfabi.CommandObjGetInfoByFD, Errno: unix.E2BIG}
	}
	return ProgramInfo{
		Type: bpfabi.ProgramType(info.progType), ID: info.id, Tag: info.tag, Name: nameString(info.name),
		GPLCompatible: info.gplCompatible&1 != 0, MapIDs: ids[:info.nrMapIDs], LoadTime: info.loadTime,
		CreatedBy: info.createdByUID, BTFID: info.btfID,
		AttachBTFObjID: info.attachBTFObjID, AttachBTFID: info.attachBTFID,
	}, nil
}

// mapInfo is struct bpf_map_info (hash and hash_size from 6.18).
type mapInfo struct {
	mapType               uint32
	id                    uint32
	keySize               uint32
	valueSize             uint32
	maxEntries            uint32
	mapFlags              uint32
	name                  [bpfabi.NameSize]byte
	ifindex               uint32
	btfVmlinuxValueTypeID uint32
	netnsDev              uint64
	netnsIno              uint64
	btfID                 uint32
	btfKeyTypeID          uint32
	btfValueTypeID        uint32
	btfVmlinuxID          uint32
	mapExtra              uint64
	hash                  unsafe.Pointer
	hashSize              uint32
	_                     uint32
}

// mapInfoSizePlain is the length without the digest's fields.
const mapInfoSizePlain = unsafe.Offsetof(mapInfo{}.hash)

// MapInfo is what the kernel tells about a map.
type MapInfo struct {
	Type       bpfabi.MapType
	ID         uint32
	KeySize    uint32
	ValueSize  uint32
	MaxEntries uint32
	Flags      uint32
	Extra      uint64
	Name       string
	// The types of keys and values, 0 for none.
	BTFID, BTFKeyTypeID, BTFValueTypeID uint32
}

// GetMapInfo is BPF_OBJ_GET_INFO_BY_FD of a map.
func GetMapInfo(m *FD) (MapInfo, error) {
	info := new(mapInfo)
	if err := getInfo(m, unsafe.Pointer(info), mapInfoSizePlain); err != nil {
		return MapInfo{}, err
	}
	return MapInfo{
		Type: bpfabi.MapType(info.mapType), ID: info.id, KeySize: info.keySize, ValueSize: info.valueSize,
		MaxEntries: info.maxEntries, Flags: info.mapFlags, Extra: info.mapExtra, Name: nameString(info.name),
		BTFID: info.btfID, BTFKeyTypeID: info.btfKeyTypeID, BTFValueTypeID: info.btfValueTypeID,
	}, nil
}

// HashMap makes the kernel compute the SHA-256 of a frozen array map's value
// and returns it. The kernel keeps it in the map, where a loader program reads
// it.
func HashMap(m *FD) ([sha256.Size]byte, error) {
	sum := new([sha256.Size]byte)
	info := &mapInfo{hash: unsafe.Pointer(sum), hashSize: sha256.Size}
	err := getInfo(m, unsafe.Pointer(info), unsafe.Sizeof(*info))
	runtime.KeepAlive(sum)
	return *sum, err
}

// btfInfo is struct bpf_btf_info.
type btfInfo struct {
	btf       unsafe.Pointer
	btfSize   uint32
	id        uint32
	name      unsafe.Pointer
	nameLen   uint32
	kernelBTF uint32
}

// BTFInfo is what the kernel tells about a BTF object.
type BTFInfo struct {
	ID     uint32
	Name   string // "vmlinux" or a module's; empty for a program's
	Kernel bool
}

// GetBTFInfo is BPF_OBJ_GET_INFO_BY_FD of a BTF object.
func GetBTFInfo(btf *FD) (BTFInfo, error) {
	name := make([]byte, 64) // MODULE_NAME_LEN is 56
	info := &btfInfo{name: bytesPointer(name), nameLen: uint32(len(name))}
	err := getInfo(btf, unsafe.Pointer(info), unsafe.Sizeof(*info))
	runtime.KeepAlive(name)
	if err != nil {
		return BTFInfo{}, err
	}
	return BTFInfo{ID: info.id, Name: unix.ByteSliceToString(name), Kernel: info.kernelBTF != 0}, nil
}

// maxBTF bounds what ReadBTF reads: a kernel's own types have six megabytes.
const maxBTF = 16 << 20

// ReadBTF reads the types of a BTF object.
func ReadBTF(btf *FD) ([]byte, error) {
	info := new(btfInfo)
	if err := getInfo(btf, unsafe.Pointer(info), unsafe.Sizeof(*info)); err != nil {
		return nil, err
	}
	size := info.btfSize
	if size == 0 || size > maxBTF {
		return nil, &Error{Command: bpfabi.CommandObjGetInfoByFD, Errno: unix.E2BIG}
	}
	raw := make([]byte, size)
	info = &btfInfo{btf: bytesPointer(raw), btfSize: size}
	err := getInfo(btf, unsafe.Pointer(info), unsafe.Sizeof(*info))
	runtime.KeepAlive(raw)
	return raw, err
}
