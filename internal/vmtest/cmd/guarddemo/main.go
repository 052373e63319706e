//go:build linux

// Command guarddemo shows, in the guest of "make demo", that the file guard
// which tbpf loaded does its job: it guards a file and tries to open it.
//
//	guarddemo MAP FILE      MAP is the guard's pinned map "guarded"
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "guarddemo: want MAP FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "guarddemo:", err)
		os.Exit(1)
	}
}

func run(mapPath, path string) error {
	guarded, err := bpfsys.GetPinned(mapPath)
	if err != nil {
		return fmt.Errorf("open %s: %w", mapPath, err)
	}
	defer guarded.Close()
	if err := os.WriteFile(path, []byte("the secret"), 0o644); err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Printf("open %s: it says %q\n", path, data)
	key, err := fileID(path)
	if err != nil {
		return err
	}
	if err := bpfsys.UpdateElem(guarded, key, []byte{1}, 0); err != nil {
		return fmt.Errorf("guard %s: %w", path, err)
	}
	fmt.Printf("the guard is told to guard %s\n", path)
	_, err = os.ReadFile(path)
	if !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("open %s: %v, want EPERM", path, err)
	}
	fmt.Println(err)
	return nil
}

// fileID is the map's key for a file: inode number, and device as the kernel
// numbers it (include/linux/kdev_t.h: 12 bits of major before 20 of minor).
func fileID(path string) ([]byte, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return nil, err
	}
	key := make([]byte, 16)
	binary.NativeEndian.PutUint64(key, stat.Ino)
	binary.NativeEndian.PutUint32(key[8:], unix.Major(stat.Dev)<<20|unix.Minor(stat.Dev))
	return key, nil
}
