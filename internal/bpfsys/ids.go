//go:build linux

package bpfsys

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// ProgramIDs lists the ids of all programs of the machine, in ascending order.
// It needs CAP_SYS_ADMIN, as the others do.
func ProgramIDs() ([]uint32, error) { return ids(bpfabi.CommandProgGetNextID) }

// MapIDs lists the ids of all maps.
func MapIDs() ([]uint32, error) { return ids(bpfabi.CommandMapGetNextID) }

// LinkIDs lists the ids of all links.
func LinkIDs() ([]uint32, error) { return ids(bpfabi.CommandLinkGetNextID) }

// ids walks one kind of object. Objects that come or go meanwhile may be in the
// list or not.
func ids(next bpfabi.Command) ([]uint32, error) {
	var list []uint32
	attr := new(idAttr) // id is the one before
	for {
		_, err := call(next, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
		if errors.Is(err, unix.ENOENT) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, attr.nextID)
		attr.id = attr.nextID
	}
}

// OpenLink is BPF_LINK_GET_FD_BY_ID. It needs CAP_SYS_ADMIN.
func OpenLink(id uint32) (*FD, error) {
	attr := &idAttr{id: id}
	return callFD(bpfabi.CommandLinkGetFDByID, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
}
