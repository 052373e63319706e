//go:build linux

package worker

import (
	"encoding/binary"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// decide interprets a filter over struct seccomp_data. What the kernel would
// not take fails the test.
func decide(t *testing.T, f []unix.SockFilter, arch, number uint32, args [6]uint64) uint32 {
	t.Helper()
	data := binary.LittleEndian.AppendUint32(nil, number)
	data = binary.LittleEndian.AppendUint32(data, arch)
	data = binary.LittleEndian.AppendUint64(data, 0) // instruction pointer
	for _, arg := range args {
		data = binary.LittleEndian.AppendUint64(data, arg)
	}
	var a uint32
	for pc := 0; pc < len(f); pc++ {
		switch i := f[pc]; i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = binary.LittleEndian.Uint32(data[i.K:])
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= i.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			if a == i.K {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			return i.K
		default:
			t.Fatalf("instruction %d has code %#x", pc, i.Code)
		}
	}
	t.Fatal("the filter has no end")
	return 0
}

const (
	testPID  = 4711
	testSock = 3
)

// The runtime's flags of clone, as its source has them.
const (
	goThreadAMD64 = 0x100 | 0x200 | 0x400 | 0x800 | 0x40000 | 0x10000 | 0x80000
	goThreadARM64 = goThreadAMD64 &^ 0x80000
)

func TestFilter(t *testing.T) {
	const allow, kill = retAllow, retKill
	const low = uint64(0xffffffff)
	for _, c := range []struct {
		name   string
		number uint32
		args   [6]uint64
		want   uint32
	}{
		{"bpf map_create", unix.SYS_BPF, [6]uint64{0}, allow},
		{"bpf map_lookup_elem", unix.SYS_BPF, [6]uint64{1}, allow},
		{"bpf map_update_elem", unix.SYS_BPF, [6]uint64{2}, allow},
		{"bpf prog_load", unix.SYS_BPF, [6]uint64{5}, allow},
		{"bpf obj_pin", unix.SYS_BPF, [6]uint64{6}, kill},
		{"bpf obj_get", unix.SYS_BPF, [6]uint64{7}, kill},
		{"bpf prog_attach", unix.SYS_BPF, [6]uint64{8}, kill},
		{"bpf prog_run", unix.SYS_BPF, [6]uint64{10}, allow},
		{"bpf prog_get_fd_by_id", unix.SYS_BPF, [6]uint64{13}, kill},
		{"bpf obj_get_info_by_fd", unix.SYS_BPF, [6]uint64{15}, allow},
		{"bpf raw_tracepoint_open", unix.SYS_BPF, [6]uint64{17}, kill},
		{"bpf btf_load", unix.SYS_BPF, [6]uint64{18}, kill},
		{"bpf map_freeze", unix.SYS_BPF, [6]uint64{22}, allow},
		{"bpf link_create", unix.SYS_BPF, [6]uint64{28}, kill},
		{"bpf token_create", unix.SYS_BPF, [6]uint64{36}, kill},
		{"bpf, a command that is none", unix.SYS_BPF, [6]uint64{low}, kill},

		{"sendmsg to the broker", unix.SYS_SENDMSG, [6]uint64{testSock}, allow},
		{"sendmsg to another", unix.SYS_SENDMSG, [6]uint64{testSock + 1}, kill},
		{"recvmsg of the broker", unix.SYS_RECVMSG, [6]uint64{testSock}, allow},
		{"recvmsg of another", unix.SYS_RECVMSG, [6]uint64{0}, kill},
		{"write what the runtime says", unix.SYS_WRITE, [6]uint64{2}, allow},
		{"write to the broker", unix.SYS_WRITE, [6]uint64{testSock}, kill},
		{"fcntl dupfd_cloexec", unix.SYS_FCNTL, [6]uint64{5, unix.F_DUPFD_CLOEXEC}, allow},
		{"fcntl get_seals", unix.SYS_FCNTL, [6]uint64{5, unix.F_GET_SEALS}, allow},
		{"fcntl add_seals", unix.SYS_FCNTL, [6]uint64{5, unix.F_ADD_SEALS}, kill},
		{"fcntl setown", unix.SYS_FCNTL, [6]uint64{5, unix.F_SETOWN}, kill},
		{"fcntl setfl", unix.SYS_FCNTL, [6]uint64{5, unix.F_SETFL}, kill},

		{"mmap memory", unix.SYS_MMAP, [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, low}, allow},
		{"mmap memory that can be executed", unix.SYS_MMAP, [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, low}, kill},
		{"mmap a file", unix.SYS_MMAP, [6]uint64{0, 4096, unix.PROT_READ, unix.MAP_SHARED, 5}, kill},
		{"mprotect", unix.SYS_MPROTECT, [6]uint64{0, 4096, unix.PROT_READ}, allow},
		{"mprotect to be executed", unix.SYS_MPROTECT, [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, kill},

		{"clone a process", unix.SYS_CLONE, [6]uint64{uint64(unix.SIGCHLD)}, kill},
		{"clone a process that shares memory", unix.SYS_CLONE, [6]uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, kill},
		{"clone a namespace", unix.SYS_CLONE, [6]uint64{goThreadAMD64 | unix.CLONE_NEWUSER}, kill},
		{"clone with flags above 32 bits", unix.SYS_CLONE, [6]uint64{goThreadAMD64 | 1<<32}, kill},
		{"clone3", unix.SYS_CLONE3, [6]uint64{}, retErrno | uint32(unix.ENOSYS)},
		{"prctl", unix.SYS_PRCTL, [6]uint64{unix.PR_SET_DUMPABLE, 1}, retErrno | uint32(unix.EPERM)},
		{"tgkill itself", unix.SYS_TGKILL, [6]uint64{testPID, 1, 23}, allow},
		{"tgkill another", unix.SYS_TGKILL, [6]uint64{testPID + 1, 1, 23}, kill},

		{"futex", unix.SYS_FUTEX, [6]uint64{}, allow},
		{"pread64", unix.SYS_PREAD64, [6]uint64{5}, allow},
		{"exit_group", unix.SYS_EXIT_GROUP, [6]uint64{}, allow},
		{"read", unix.SYS_READ, [6]uint64{}, kill},
		{"openat", unix.SYS_OPENAT, [6]uint64{}, kill},
		{"openat2", unix.SYS_OPENAT2, [6]uint64{}, kill},
		{"open_tree", unix.SYS_OPEN_TREE, [6]uint64{}, kill},
		{"name_to_handle_at", unix.SYS_NAME_TO_HANDLE_AT, [6]uint64{}, kill},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, [6]uint64{}, kill},
		{"memfd_create", unix.SYS_MEMFD_CREATE, [6]uint64{}, kill},
		{"socket", unix.SYS_SOCKET, [6]uint64{}, kill},
		{"socketpair", unix.SYS_SOCKETPAIR, [6]uint64{}, kill},
		{"connect", unix.SYS_CONNECT, [6]uint64{}, kill},
		{"execve", unix.SYS_EXECVE, [6]uint64{}, kill},
		{"execveat", unix.SYS_EXECVEAT, [6]uint64{}, kill},
		{"kill", unix.SYS_KILL, [6]uint64{}, kill},
		{"ptrace", unix.SYS_PTRACE, [6]uint64{}, kill},
		{"process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, [6]uint64{}, kill},
		{"pidfd_getfd", unix.SYS_PIDFD_GETFD, [6]uint64{}, kill},
		{"setns", unix.SYS_SETNS, [6]uint64{}, kill},
		{"unshare", unix.SYS_UNSHARE, [6]uint64{}, kill},
		{"mount", unix.SYS_MOUNT, [6]uint64{}, kill},
		{"fsopen", unix.SYS_FSOPEN, [6]uint64{}, kill},
		{"move_mount", unix.SYS_MOVE_MOUNT, [6]uint64{}, kill},
		{"add_key", unix.SYS_ADD_KEY, [6]uint64{}, kill},
		{"keyctl", unix.SYS_KEYCTL, [6]uint64{}, kill},
		{"setuid", unix.SYS_SETUID, [6]uint64{}, kill},
		{"capset", unix.SYS_CAPSET, [6]uint64{}, kill},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [6]uint64{}, kill},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, [6]uint64{}, kill},
		{"ioctl", unix.SYS_IOCTL, [6]uint64{}, kill},
		{"userfaultfd", unix.SYS_USERFAULTFD, [6]uint64{}, kill},
		{"seccomp", unix.SYS_SECCOMP, [6]uint64{}, kill},
		{"personality", unix.SYS_PERSONALITY, [6]uint64{}, kill},
		{"pkey_mprotect", unix.SYS_PKEY_MPROTECT, [6]uint64{}, kill},
		{"mremap", unix.SYS_MREMAP, [6]uint64{}, kill},
		{"a number of the future", 1 << 20, [6]uint64{}, kill},
		{"x32 bpf", unix.SYS_BPF | 1<<30, [6]uint64{}, kill},
		{"x32 futex", unix.SYS_FUTEX | 1<<30, [6]uint64{}, kill},
	} {
		t.Run(c.name, func(t *testing.T) {
			for arch, machine := range auditArch {
				f, err := filter(arch, testPID, testSock)
				if err != nil {
					t.Fatal(err)
				}
				if got := decide(t, f, machine, c.number, c.args); got != c.want {
					t.Errorf("%s: %#x, want %#x", arch, got, c.want)
				}
			}
		})
	}
}

// A thread that the runtime starts later must not end the worker.
func TestFilterAllowsTheRuntimesThreads(t *testing.T) {
	for arch, flags := range map[string][2]uint64{"amd64": {goThreadAMD64, goThreadARM64}, "arm64": {goThreadARM64, goThreadAMD64}} {
		f, err := filter(arch, testPID, testSock)
		if err != nil {
			t.Fatal(err)
		}
		if got := decide(t, f, auditArch[arch], unix.SYS_CLONE, [6]uint64{flags[0]}); got != retAllow {
			t.Errorf("%s: %#x", arch, got)
		}
		if got := decide(t, f, auditArch[arch], unix.SYS_CLONE, [6]uint64{flags[1]}); got != retKill {
			t.Errorf("%s with the other's flags: %#x", arch, got)
		}
	}
}

// System calls of another ABI have other numbers.
func TestFilterOtherArchitectures(t *testing.T) {
	f, err := filter(runtime.GOARCH, testPID, testSock)
	if err != nil {
		t.Skip(err)
	}
	for _, arch := range []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_RISCV64, 0} {
		for number := range uint32(512) {
			if got := decide(t, f, arch, number, [6]uint64{}); got != retKill {
				t.Errorf("arch %#x, number %d: %#x", arch, number, got)
			}
		}
	}
	if _, err := filter("riscv64", testPID, testSock); err == nil {
		t.Error("there is a filter for a machine whose system calls nobody looked at")
	}
}

// The kernel takes no more than 4096 instructions, and no jump past the end.
func TestFilterFitsTheKernel(t *testing.T) {
	for arch := range auditArch {
		f, err := filter(arch, testPID, testSock)
		if err != nil || len(f) > 4096 {
			t.Fatalf("%s: %d instructions, %v", arch, len(f), err)
		}
		for i, ins := range f {
			if ins.Code&7 == unix.BPF_JMP && (i+1+int(ins.Jt) >= len(f) || i+1+int(ins.Jf) >= len(f)) {
				t.Errorf("%s: instruction %d jumps out", arch, i)
			}
		}
	}
}
