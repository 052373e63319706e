package loader

import (
	"errors"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// thisKernel is the kernel that runs this process.
type thisKernel struct{}

func (thisKernel) try(p kernelload.Payload, s kernelload.Settings) (*kernelload.Result, error) {
	return kernelload.Try(p, s)
}

func (thisKernel) hasSignatures(token *bpfsys.FD) (bool, error) {
	return kernelload.HasSignatures(token)
}

func (thisKernel) checksNothing(token *bpfsys.FD) (bool, error) {
	return kernelload.ChecksNothing(token)
}

// hasExcl asks the kernel's own types whether struct bpf_map has the
// member excl. known is false where they cannot be read.
func (thisKernel) hasExcl() (known, excl bool) {
	types, err := openTypes(kernelTypesPath, nil)
	if err != nil {
		return false, false
	}
	real, err := types.HasMember("bpf_map", "max_entries")
	if err == nil && real {
		excl, err = types.HasMember("bpf_map", "excl")
	}
	if err := errors.Join(err, types.close()); err != nil || !real {
		return false, false
	}
	return true, excl
}
