//go:build linux

// Package procconfig reads the configuration that a kernel has of itself, where
// it was built with CONFIG_IKCONFIG_PROC.
//
// cmd/tbpf imports it. tbpf-loader does not: to unpack it takes 60 KB of code.
package procconfig

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kconfig"
	"github.com/trustedbpf/tbpf/internal/wholefile"
)

// Path is where the kernel has it.
const Path = "/proc/config.gz"

// Read returns the configuration. A kernel without one is an fs.ErrNotExist.
func Read() ([]byte, error) { return read(Path, unix.PROC_SUPER_MAGIC) }

func read(path string, filesystem int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var where unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &where); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if int64(where.Type) != filesystem {
		return nil, fmt.Errorf("%s: it is not the kernel's", path)
	}
	packed, err := wholefile.ReadFrom(f, 0, kconfig.MaxFile)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	data, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// unpack takes exactly one member, whose checksum is right.
func unpack(packed []byte) ([]byte, error) {
	r := bytes.NewReader(packed)
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	data, err := wholefile.ReadFrom(z, 0, kconfig.MaxFile)
	if err != nil {
		return nil, err
	}
	if r.Len() > 0 {
		return nil, fmt.Errorf("%d bytes follow its end", r.Len())
	}
	return data, z.Close()
}
