//go:build linux

// Command compat tries to load a program that nobody signed, and exits with the
// error number. Built for another architecture it does so by that one's system
// calls: the kernel has more than one way into bpf(2).
package main

import (
	"encoding/binary"
	"os"
	"syscall"
	"unsafe"
)

// numbers of bpf(2) by the pointer's size (386, amd64).
var numbers = map[uintptr]uintptr{4: 357, 8: 321}

func main() {
	code := []byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}
	license := []byte("GPL\x00")
	attr := make([]byte, 48)
	binary.LittleEndian.PutUint32(attr, 1) // BPF_PROG_TYPE_SOCKET_FILTER
	binary.LittleEndian.PutUint32(attr[4:], 2)
	binary.LittleEndian.PutUint64(attr[8:], uint64(uintptr(unsafe.Pointer(&code[0]))))
	binary.LittleEndian.PutUint64(attr[16:], uint64(uintptr(unsafe.Pointer(&license[0]))))
	_, _, errno := syscall.Syscall(numbers[unsafe.Sizeof(uintptr(0))], 5, uintptr(unsafe.Pointer(&attr[0])), uintptr(len(attr)))
	os.Exit(int(errno))
}
