//go:build linux

package bpfsys

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// perfEventAttr is struct perf_event_attr (include/uapi/linux/perf_event.h) up
// to config2: the first 72 bytes, PERF_ATTR_SIZE_VER1.
type perfEventAttr struct {
	eventType    uint32
	size         uint32
	config       uint64
	samplePeriod uint64
	sampleType   uint64
	readFormat   uint64
	flags        uint64
	wakeupEvents uint32
	bpType       uint32
	config1      unsafe.Pointer // probes: the function's or the file's name
	config2      uint64         // probes: the offset
}

// PerfEvent is an event that a program can be attached to.
type PerfEvent struct {
	Type   uint32 // PERF_TYPE_TRACEPOINT, or the number of a probe's PMU
	Config uint64 // the tracepoint's number, or a probe's flags
	Name   string // probes: the kernel function, or the file
	Offset uint64 // probes: in it, in bytes
	PID    int    // -1 for every process
}

// OpenPerfEvent is perf_event_open(2) on one CPU: a program attached to the
// event runs on all of them.
func OpenPerfEvent(e PerfEvent) (*FD, error) {
	attr := &perfEventAttr{eventType: e.Type, config: e.Config, config2: e.Offset, size: uint32(unsafe.Sizeof(perfEventAttr{}))}
	if e.Name != "" {
		name, err := unix.BytePtrFromString(e.Name)
		if err != nil {
			return nil, err
		}
		attr.config1 = unsafe.Pointer(name)
	}
	cpu := 0
	if e.PID >= 0 {
		cpu = -1
	}
	n, _, errno := unix.Syscall6(unix.SYS_PERF_EVENT_OPEN, uintptr(unsafe.Pointer(attr)), uintptr(e.PID), uintptr(cpu),
		^uintptr(0), unix.PERF_FLAG_FD_CLOEXEC, 0)
	runtime.KeepAlive(attr)
	if errno != 0 {
		return nil, errno
	}
	return NewFD(int(n))
}
