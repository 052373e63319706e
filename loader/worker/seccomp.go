//go:build linux

package worker

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// Offsets in struct seccomp_data (include/uapi/linux/seccomp.h). Arguments are
// 64 bits each, the low half first on the machines that tbpf runs on.
const (
	seccompNumber = 0
	seccompArch   = 4
	seccompArgs   = 16
)

const (
	retAllow = 0x7fff0000 // SECCOMP_RET_ALLOW
	retErrno = 0x00050000 // SECCOMP_RET_ERRNO
	retKill  = 0x80000000 // SECCOMP_RET_KILL_PROCESS

	seccompSetModeFilter = 1
	seccompFlagTSync     = 1
)

// threadFlags are what the Go runtime clones threads with (runtime/os_linux.go;
// on amd64 sys_linux_amd64.s adds CLONE_SETTLS). With CLONE_THREAD no process
// comes of it.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD

// rule allows one system call, provided that each condition holds.
type rule struct {
	number     uint32
	conditions []condition
}

// condition is about 32 bits of an argument: what the mask leaves of them must
// be one of the values.
type condition struct {
	argument int
	high     bool // the upper half
	mask     uint32
	values   []uint32
}

// is makes a condition of the lower half of an argument. The kernel looks at
// no more of those that it is used for: they are of type int.
func is(argument int, values ...uint32) condition {
	return condition{argument: argument, mask: ^uint32(0), values: values}
}

// bits makes a condition of some bits of an argument.
func bits(argument int, mask, value uint32) condition {
	return condition{argument: argument, mask: mask, values: []uint32{value}}
}

// commands are the BPF commands that a load takes.
var commands = []uint32{
	uint32(bpfabi.CommandMapCreate), uint32(bpfabi.CommandMapLookupElem), uint32(bpfabi.CommandMapUpdateElem), uint32(bpfabi.CommandMapFreeze),
	uint32(bpfabi.CommandProgLoad), uint32(bpfabi.CommandProgRun), uint32(bpfabi.CommandObjGetInfoByFD),
}

// rules are the system calls that a worker may make: those of the Go runtime,
// and those by which it loads and talks to its broker over descriptors that it
// has.
func rules(arch string, pid, sock int) []rule {
	clone := uint32(threadFlags)
	if arch == "amd64" {
		clone |= unix.CLONE_SETTLS
	}
	list := []rule{
		{unix.SYS_BPF, []condition{is(0, commands...)}},
		{unix.SYS_SENDMSG, []condition{is(0, uint32(sock))}},
		{unix.SYS_RECVMSG, []condition{is(0, uint32(sock))}},
		{unix.SYS_FCNTL, []condition{is(1, unix.F_DUPFD_CLOEXEC, unix.F_GET_SEALS)}},
		{unix.SYS_WRITE, []condition{is(0, 2)}}, // what the runtime says when it dies
		// No memory becomes executable, and no file becomes memory.
		{unix.SYS_MMAP, []condition{bits(2, unix.PROT_EXEC, 0), bits(3, unix.MAP_ANONYMOUS, unix.MAP_ANONYMOUS)}},
		{unix.SYS_MPROTECT, []condition{bits(2, unix.PROT_EXEC, 0)}},
		// Threads, but no processes; signals, but to none but its own.
		{unix.SYS_CLONE, []condition{is(0, clone), {argument: 0, high: true, mask: ^uint32(0), values: []uint32{0}}}},
		{unix.SYS_TGKILL, []condition{is(0, uint32(pid))}},
	}
	for _, number := range []uint32{
		unix.SYS_PREAD64, unix.SYS_CLOSE, unix.SYS_MUNMAP, unix.SYS_MADVISE,
		unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_SCHED_YIELD,
		unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRANDOM,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	} {
		list = append(list, rule{number: number})
	}
	return list
}

// auditArch is the machine as seccomp names it. The x32 ABI has the name of
// x86-64, and bit 30 in the numbers: none of those is in a rule.
var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filter is the system call filter: what no rule allows kills the process.
// Naming memory areas (prctl) is denied, which the runtime takes as it comes,
// and clone3 does not exist, so that it uses clone, whose flags can be seen.
func filter(arch string, pid, sock int) ([]unix.SockFilter, error) {
	machine, ok := auditArch[arch]
	if !ok {
		return nil, fmt.Errorf("no system call filter for %s", arch)
	}
	f := []unix.SockFilter{
		load(seccompArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: machine},
		ret(retKill),
		load(seccompNumber),
		unless(unix.SYS_PRCTL, 1), ret(retErrno | uint32(unix.EPERM)),
		unless(unix.SYS_CLONE3, 1), ret(retErrno | uint32(unix.ENOSYS)),
	}
	for _, r := range rules(arch, pid, sock) {
		var body []unix.SockFilter
		for _, c := range r.conditions {
			body = append(body, c.instructions()...)
		}
		body = append(body, ret(retAllow))
		f = append(f, unless(r.number, len(body)))
		f = append(f, body...)
	}
	return append(f, ret(retKill)), nil
}

// instructions go on after the last one if the condition holds, and kill
// otherwise.
func (c condition) instructions() []unix.SockFilter {
	offset := uint32(seccompArgs + 8*c.argument)
	if c.high {
		offset += 4
	}
	f := []unix.SockFilter{load(offset), {Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.mask}}
	for i, value := range c.values {
		// Past the other values and the kill.
		f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(c.values) - i), K: value})
	}
	return append(f, ret(retKill))
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func ret(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }

// unless skips n instructions unless the accumulator is k.
func unless(k uint32, n int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: uint8(n), K: k}
}

// confine installs the filter on every thread.
func confine(sock int) error {
	f, err := filter(runtime.GOARCH, unix.Getpid(), sock)
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	tid, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompSetModeFilter, seccompFlagTSync, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if tid != 0 {
		return fmt.Errorf("seccomp: thread %d did not take the filter", tid)
	}
	return nil
}
