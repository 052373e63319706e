package main

import (
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/wholefile"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// maxKernelTypes bounds a file of --kernel-btf in bytes. Those of distributions'
// kernels have 4 to 12 MiB.
const maxKernelTypes = 64 << 20

// readKernelTypes reads what --kernel-btf names.
func (a *app) readKernelTypes(paths []string) ([]*skeleton.KernelTypes, error) {
	var kernels []*skeleton.KernelTypes
	for _, path := range paths {
		raw, err := wholefile.Read(path, maxKernelTypes)
		if err != nil {
			return nil, err
		}
		types, err := skeleton.ParseKernelTypes(raw)
		if err != nil {
			return nil, usage("copy /sys/kernel/btf/vmlinux of the machine that is to load the object", "--kernel-btf %s: %w", report.Name(path), err)
		}
		kernels = append(kernels, types)
	}
	return kernels, nil
}
