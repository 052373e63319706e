package corpus

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// KernelTypes takes the BTF out of the image of a kernel in the cache, as
// /sys/kernel/btf/vmlinux has it while the kernel runs. It needs the program
// that unpacks the image.
func KernelTypes(ctx context.Context, kernel vmtest.Kernel) ([]byte, error) {
	cache, err := vmtest.CacheDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cache, "kernels", string(kernel), "vmlinuz")
	image, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read types of kernel %s: %w", kernel, err)
	}
	packed, err := payload(image)
	if err != nil {
		return nil, fmt.Errorf("read types of kernel %s: %w", kernel, err)
	}
	vmlinux, err := unpack(ctx, cache, packed)
	if err != nil {
		return nil, fmt.Errorf("unpack kernel %s: %w", kernel, err)
	}
	file, err := elf.NewFile(bytes.NewReader(vmlinux))
	if err != nil {
		return nil, fmt.Errorf("read types of kernel %s: %w", kernel, err)
	}
	types := file.Section(".BTF")
	if types == nil {
		return nil, fmt.Errorf("read types of kernel %s: it has none", kernel)
	}
	return types.Data()
}

// payload finds the packed kernel in a bzImage (Linux,
// Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length).
func payload(image []byte) ([]byte, error) {
	const setupSectors, magic, offset, length, end = 0x1f1, 0x202, 0x248, 0x24c, 0x250
	if len(image) < end || string(image[magic:magic+4]) != "HdrS" {
		return nil, errors.New("not a bzImage")
	}
	sectors := uint64(image[setupSectors])
	if sectors == 0 {
		sectors = 4
	}
	begin := (sectors+1)*512 + uint64(binary.LittleEndian.Uint32(image[offset:]))
	size := uint64(binary.LittleEndian.Uint32(image[length:]))
	if size < 8 || begin > uint64(len(image)) || size > uint64(len(image))-begin {
		return nil, errors.New("the image ends within the packed kernel")
	}
	return image[begin : begin+size-4], nil // behind it stands its unpacked size
}

// unpack calls the program for the format that the bytes begin with.
func unpack(ctx context.Context, cache string, packed []byte) ([]byte, error) {
	var program string
	switch {
	case bytes.HasPrefix(packed, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		program = "zstd"
	case bytes.HasPrefix(packed, []byte{0x1f, 0x8b}):
		program = "gzip"
	case bytes.HasPrefix(packed, []byte("\xfd7zXZ")):
		program = "xz"
	default:
		return nil, fmt.Errorf("its format is unknown: %x", packed[:4])
	}
	if own := filepath.Join(cache, "bin", program); fileExists(own) {
		program = own
	}
	cmd := exec.CommandContext(ctx, program, "-dc")
	cmd.Stdin = bytes.NewReader(packed)
	return cmd.Output()
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
