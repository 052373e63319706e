//go:build linux

package bpfsys

import (
	"crypto/sha256"
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// mapCreateAttr is the part of union bpf_attr that BPF_MAP_CREATE reads.
type mapCreateAttr struct {
	mapType               uint32
	keySize               uint32
	valueSize             uint32
	maxEntries            uint32
	mapFlags              uint32
	innerMapFD            uint32
	numaNode              uint32
	mapName               [bpfabi.NameSize]byte
	mapIfindex            uint32
	btfFD                 uint32
	btfKeyTypeID          uint32
	btfValueTypeID        uint32
	btfVmlinuxValueTypeID uint32
	mapExtra              uint64
	valueTypeBTFObjFD     int32
	mapTokenFD            int32
	exclProgHash          unsafe.Pointer
	exclProgHashSize      uint32
	_                     uint32
}

// mapCreateSizePlain is the attribute's length without exclProgHash: kernels
// that do not know those fields see only what they know.
const mapCreateSizePlain = unsafe.Offsetof(mapCreateAttr{}.exclProgHash)

// mapCreateSizeOld is the length without valueTypeBTFObjFD and mapTokenFD (6.9).
const mapCreateSizeOld = unsafe.Offsetof(mapCreateAttr{}.valueTypeBTFObjFD)

// MapSpec is a map to create.
type MapSpec struct {
	Name       string
	Type       bpfabi.MapType
	KeySize    uint32 // bytes
	ValueSize  uint32 // bytes
	MaxEntries uint32
	Flags      uint32
	// Exclusive is the digest of the one program that may use the map; nil
	// for a map that any program may use.
	Exclusive *[sha256.Size]byte
	// Token is a BPF token; nil for the caller's own capabilities.
	Token *FD
}

// CreateMap is BPF_MAP_CREATE.
func CreateMap(spec MapSpec) (*FD, error) {
	name, err := objectName(spec.Name)
	if err != nil {
		return nil, err
	}
	attr := &mapCreateAttr{
		mapType: uint32(spec.Type), keySize: spec.KeySize, valueSize: spec.ValueSize,
		maxEntries: spec.MaxEntries, mapFlags: spec.Flags, mapName: name,
	}
	size := mapCreateSizeOld
	if spec.Token != nil {
		token, err := spec.Token.number()
		if err != nil {
			return nil, err
		}
		attr.mapTokenFD, attr.mapFlags = int32(token), attr.mapFlags|bpfabi.FlagToken
		size = mapCreateSizePlain
	}
	if spec.Exclusive != nil {
		attr.exclProgHash, attr.exclProgHashSize = unsafe.Pointer(spec.Exclusive), sha256.Size
		size = unsafe.Sizeof(*attr)
	}
	fd, err := callFD(bpfabi.CommandMapCreate, unsafe.Pointer(attr), size)
	runtime.KeepAlive(spec)
	return fd, err
}

// mapElemAttr is what BPF_MAP_*_ELEM and BPF_MAP_FREEZE read.
type mapElemAttr struct {
	mapFD uint32
	_     uint32
	key   unsafe.Pointer
	value unsafe.Pointer // BPF_MAP_GET_NEXT_KEY: the next key
	flags uint64
}

// mapElem runs one of the element commands. The slices must have the map's
// sizes: the kernel reads and writes that much.
func mapElem(cmd bpfabi.Command, m *FD, key, value []byte, flags uint64) error {
	n, err := m.number()
	if err != nil {
		return err
	}
	attr := &mapElemAttr{mapFD: n, key: bytesPointer(key), value: bytesPointer(value), flags: flags}
	_, err = call(cmd, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(key)
	runtime.KeepAlive(value)
	return err
}

// UpdateElem is BPF_MAP_UPDATE_ELEM. Key and value must have the map's sizes.
func UpdateElem(m *FD, key, value []byte, flags uint64) error {
	return mapElem(bpfabi.CommandMapUpdateElem, m, key, value, flags)
}

// LookupElem is BPF_MAP_LOOKUP_ELEM. Key and value must have the map's sizes
// (per-CPU maps: the value size rounded up to 8, for every possible CPU).
func LookupElem(m *FD, key, value []byte) error {
	return mapElem(bpfabi.CommandMapLookupElem, m, key, value, 0)
}

// NextKey is BPF_MAP_GET_NEXT_KEY; key is nil for the first one.
func NextKey(m *FD, key, next []byte) error {
	return mapElem(bpfabi.CommandMapGetNextKey, m, key, next, 0)
}

// FreezeMap is BPF_MAP_FREEZE: no system call writes the map any more.
func FreezeMap(m *FD) error {
	n, err := m.number()
	if err != nil {
		return err
	}
	attr := &struct{ mapFD uint32 }{n}
	_, err = call(bpfabi.CommandMapFreeze, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	return err
}

// Frozen tells whether system calls may no longer write m. It asks with an
// update that has no key: a map that can be written answers that the key is
// missing, a frozen one says EPERM before it looks (kernel/bpf/syscall.c,
// map_update_elem). A descriptor that is read-only gives the same answer, so m
// must come from its creation.
func Frozen(m *FD) (bool, error) {
	err := mapElem(bpfabi.CommandMapUpdateElem, m, nil, nil, 0)
	switch {
	case errors.Is(err, unix.EPERM):
		return true, nil
	case errors.Is(err, unix.EFAULT), errors.Is(err, unix.EINVAL):
		return false, nil
	case err == nil:
		return false, errors.New("a map took an update without a key")
	default:
		return false, err
	}
}
