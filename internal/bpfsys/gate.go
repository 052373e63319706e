//go:build linux

package bpfsys

import (
	"crypto/sha256"
	"unsafe"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// tellAttr is what the gate reads of its own command (gate/object/config.h).
type tellAttr struct {
	what  uint32
	_     [28]byte
	word0 uint64 // 32
	_     [40]byte
	word1 uint64 // 80
	_     [8]byte
	word2 uint64 // 96
	_     [16]byte
	word3 uint64 // 120
}

// gateCommand is a number that no command of bpf(2) has.
const gateCommand = bpfabi.Command(0x67617465)

// TellGate tells a gate, if there is one, what this process read. EPERM is its
// refusal; EINVAL is the kernel's, to which a gate that agrees leaves it.
func TellGate(what uint32, digest [sha256.Size]byte) error {
	words := (*[4]uint64)(unsafe.Pointer(&digest))
	attr := &tellAttr{what: what, word0: words[0], word1: words[1], word2: words[2], word3: words[3]}
	_, err := call(gateCommand, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	return err
}
