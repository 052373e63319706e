//go:build vmguest

package gatetest

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attackRing has the kernel's own threads and queues do what system calls were
// refused: io_uring has no bpf(2), and opens, renames and unlinks.
func attackRing(t *testing.T) {
	names, err := filepath.Glob(pins + "/links/*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no pins: %v", err)
	}
	const renameat, unlinkat, openat = 35, 36, 18 // enum io_uring_op
	for _, a := range []struct {
		what       string
		op         byte
		path, more string
		flags      uint32
	}{
		{"unlinking a pin", unlinkat, names[0], "", 0},
		{"renaming a pin", renameat, names[0], pins + "/x", 0},
		{"removing the loader's binary", unlinkat, loaderPath, "", 0},
		{"opening the loader's binary for writing", openat, loaderPath, "", unix.O_RDWR},
		{"turning ftrace off", openat, "/proc/sys/kernel/ftrace_enabled", "", unix.O_WRONLY},
	} {
		wantRefused(t, a.what+" by io_uring", submit(t, a.op, a.path, a.more, a.flags))
	}
	// It is a ring that works: what nobody guards it can remove.
	put(t, "/tmp/unguarded", nil, 0o644)
	must(t, submit(t, unlinkat, "/tmp/unguarded", "", 0))
	wantOn(t, "io_uring")
}

// submit has a ring do one thing with a path.
func submit(t *testing.T, op byte, path, more string, flags uint32) error {
	t.Helper()
	var params [120]byte // struct io_uring_params
	word := func(at int) uint32 { return *(*uint32)(unsafe.Pointer(&params[at])) }
	n, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		t.Fatalf("io_uring_setup: %v", errno)
	}
	ring := int(n)
	defer unix.Close(ring)
	const sqOff, cqOff = 40, 80 // of their offsets in params
	sq, err := unix.Mmap(ring, 0, int(word(sqOff+24)+4*word(0)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	defer unix.Munmap(sq)
	cq, err := unix.Mmap(ring, 0x8000000, int(word(cqOff+20)+16*word(4)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	defer unix.Munmap(cq)
	sqes, err := unix.Mmap(ring, 0x10000000, 64, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	defer unix.Munmap(sqes)

	from, to := append([]byte(path), 0), append([]byte(more), 0)
	sqes[0] = op
	*(*int32)(unsafe.Pointer(&sqes[4])) = unix.AT_FDCWD
	*(*uint64)(unsafe.Pointer(&sqes[16])) = uint64(uintptr(unsafe.Pointer(&from[0]))) // addr
	if more != "" {
		*(*uint64)(unsafe.Pointer(&sqes[8])) = uint64(uintptr(unsafe.Pointer(&to[0]))) // addr2
		*(*int32)(unsafe.Pointer(&sqes[24])) = unix.AT_FDCWD                           // len: the second directory
	}
	*(*uint32)(unsafe.Pointer(&sqes[28])) = flags
	*(*uint32)(unsafe.Pointer(&sq[word(sqOff+24)])) = 0 // array: the first entry
	*(*uint32)(unsafe.Pointer(&sq[word(sqOff+4)])) = 1  // tail
	done, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(ring), 1, 1, 1 /* IORING_ENTER_GETEVENTS */, 0, 0)
	runtime.KeepAlive(from)
	runtime.KeepAlive(to)
	if errno != 0 || done != 1 {
		t.Fatalf("io_uring_enter: %d, %v", done, errno)
	}
	result := *(*int32)(unsafe.Pointer(&cq[word(cqOff+20)+8]))
	if result < 0 {
		return unix.Errno(-result)
	}
	if op == 18 {
		return errors.Join(unix.Close(int(result)), errors.New("it is open"))
	}
	return nil
}
