package loader

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelbtf"
)

// typesFile is BTF of the kernel or of a module, read from sysfs.
type typesFile struct {
	*kernelbtf.Types
	mapped []byte // nil if it was copied
}

// openTypes opens BTF. The kernel lets its own be mapped (6.16,
// kernel/bpf/sysfs_btf.c), which saves copying five megabytes a page at a time;
// what is mapped is the kernel's memory, which nobody changes.
func openTypes(file string, base *kernelbtf.Types) (*typesFile, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	t := new(typesFile)
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err == nil {
		t.mapped = b
	} else if b, err = io.ReadAll(f); err != nil {
		return nil, err
	}
	if t.Types, err = kernelbtf.Parse(b, base); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// close gives the memory back: nothing may be asked any more.
func (t *typesFile) close() error {
	if t == nil || t.mapped == nil {
		return nil
	}
	b := t.mapped
	t.mapped = nil
	return unix.Munmap(b)
}
