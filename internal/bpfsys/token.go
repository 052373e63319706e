//go:build linux

package bpfsys

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// tokenCreateAttr is what BPF_TOKEN_CREATE reads.
type tokenCreateAttr struct {
	flags   uint32
	bpffsFD uint32
}

// CreateToken is BPF_TOKEN_CREATE from the root directory of a bpffs.
func CreateToken(bpffs *FD) (*FD, error) {
	n, err := bpffs.number()
	if err != nil {
		return nil, err
	}
	attr := &tokenCreateAttr{bpffsFD: n}
	return callFD(bpfabi.CommandTokenCreate, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
}

// HaveTokens tells whether the kernel knows tokens at all (6.9): it gets a
// descriptor that cannot be one, and only a kernel that knows the command says
// so. Anything but the two expected answers is an error.
func HaveTokens() (bool, error) {
	attr := &tokenCreateAttr{bpffsFD: ^uint32(0)}
	fd, err := callFD(bpfabi.CommandTokenCreate, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	switch {
	case errors.Is(err, unix.EBADF):
		return true, nil
	case errors.Is(err, unix.EINVAL):
		return false, nil
	case err == nil:
		_ = fd.Close() // a kernel that makes a token of nothing is not trusted with one
		return false, errors.New("bpf token_create: made a token without a bpffs")
	default:
		return false, err
	}
}

// TokenInfo is struct bpf_token_info (6.17): bit masks by the kernel's numbers.
type TokenInfo struct {
	Commands    uint64
	Maps        uint64
	Programs    uint64
	AttachTypes uint64
}

// GetTokenInfo is BPF_OBJ_GET_INFO_BY_FD of a token. Kernels before 6.17 say
// EINVAL.
func GetTokenInfo(token *FD) (TokenInfo, error) {
	info := new(TokenInfo)
	err := getInfo(token, unsafe.Pointer(info), unsafe.Sizeof(*info))
	return *info, err
}
