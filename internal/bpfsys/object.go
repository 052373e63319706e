//go:build linux

package bpfsys

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// objAttr is what BPF_OBJ_PIN and BPF_OBJ_GET read. The directory descriptor
// that later kernels take (6.5) is not used: 6.1 does not have it.
type objAttr struct {
	path      unsafe.Pointer
	bpfFD     uint32
	fileFlags uint32
}

// Pin is BPF_OBJ_PIN: path must be in a bpffs and not exist.
func Pin(fd *FD, path string) error {
	n, err := fd.number()
	if err != nil {
		return err
	}
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	attr := &objAttr{path: unsafe.Pointer(p), bpfFD: n}
	_, err = call(bpfabi.CommandObjPin, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(p)
	return err
}

// GetPinned is BPF_OBJ_GET. A map that nobody may write (the gate's) is opened
// for reading.
func GetPinned(path string) (*FD, error) {
	fd, err := getPinned(path, 0)
	if errors.Is(err, unix.EPERM) {
		return getPinned(path, readOnly)
	}
	return fd, err
}

// readOnly is BPF_F_RDONLY: a descriptor that writes nothing.
const readOnly = 1 << 3

func getPinned(path string, flags uint32) (*FD, error) {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return nil, err
	}
	attr := &objAttr{path: unsafe.Pointer(p), fileFlags: flags}
	fd, err := callFD(bpfabi.CommandObjGet, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(p)
	return fd, err
}

// idAttr is what BPF_*_GET_FD_BY_ID reads.
type idAttr struct {
	id        uint32
	nextID    uint32
	openFlags uint32
}

// OpenBTF is BPF_BTF_GET_FD_BY_ID. It needs CAP_SYS_ADMIN.
func OpenBTF(id uint32) (*FD, error) {
	attr := &idAttr{id: id}
	return callFD(bpfabi.CommandBTFGetFDByID, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
}

// OpenMap is BPF_MAP_GET_FD_BY_ID, for reading. It needs CAP_SYS_ADMIN.
func OpenMap(id uint32) (*FD, error) {
	attr := &idAttr{id: id, openFlags: readOnly}
	return callFD(bpfabi.CommandMapGetFDByID, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
}

// OpenProgram is BPF_PROG_GET_FD_BY_ID. It needs CAP_SYS_ADMIN.
func OpenProgram(id uint32) (*FD, error) {
	attr := &idAttr{id: id}
	return callFD(bpfabi.CommandProgGetFDByID, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
}
