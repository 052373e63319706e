//go:build vmguest

package gatetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/loader/worker"
)

// Roles of this binary, by its first argument.
const (
	becomesLoader = "attack-parent"   // starts a child of its own, and executes the loader
	becomesWorker = "attack-child"    // executes the loader as a worker, when it is told to
	filtered      = "attack-filtered" // executes the loader beneath a filter of system calls
)

// asRole plays a role, if this process has one.
func asRole() {
	var err error
	switch os.Args[0] {
	case becomesLoader:
		err = loaderWithAChild()
	case becomesWorker:
		// A byte on 3 is the sign; 4 is what a worker takes for its broker.
		if _, err = os.NewFile(3, "sign").Read(make([]byte, 1)); err == nil {
			if err = unix.Dup3(4, 3, 0); err == nil {
				err = unix.Exec(loaderPath, []string{worker.Name}, []string{"GOGC=off", "GOMAXPROCS=2"})
			}
		}
	case filtered:
		if err = filterNothing(); err == nil {
			err = unix.Exec(loaderPath, append([]string{loaderPath}, os.Args[1:]...), nil)
		}
	default:
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(99)
}

// loaderWithAChild tells its child's number and becomes the trusted loader.
func loaderWithAChild() error {
	child, err := os.StartProcess("/proc/self/exe", []string{becomesWorker}, &os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr, os.NewFile(3, "sign"), os.NewFile(4, "broker")}})
	if err != nil {
		return err
	}
	number := os.NewFile(5, "number")
	_, err = fmt.Fprintln(number, child.Pid)
	if err := errors.Join(err, number.Close()); err != nil {
		return err
	}
	return unix.Exec(loaderPath, []string{loaderPath, "load", "/usr/lib/tbpf/boot/multi.tbpf"}, nil)
}

// fullPipe is a pipe that takes nothing: who writes to it waits.
func fullPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	must(t, unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	for b := make([]byte, 4096); ; {
		if _, err := unix.Write(fds[1], b); err == unix.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	must(t, unix.SetNonblock(fds[1], false))
	return os.NewFile(uintptr(fds[0]), "output"), os.NewFile(uintptr(fds[1]), "output")
}

// filterNothing has every system call of this process filtered, and pass.
func filterNothing() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	pass := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	program := unix.SockFprog{Len: 1, Filter: &pass}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// Marks of gate/object/state.h.
const (
	markBinary  = 1
	markTrusted = 7
)

// markOf is what the gate has of a process.
func markOf(t *testing.T, pid int) uint32 {
	t.Helper()
	m, err := bpfsys.OpenMap(gateMaps(t)["gate_tasks"])
	must(t, err)
	defer m.Close()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return 0
	}
	must(t, err)
	defer unix.Close(pidfd)
	value := make([]byte, 8)
	err = bpfsys.LookupElem(m, binary.NativeEndian.AppendUint32(nil, uint32(pidfd)), value)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return 0
	}
	must(t, err)
	return binary.NativeEndian.Uint32(value)
}

// waitMark waits until a process has a mark.
func waitMark(t *testing.T, pid int, want func(uint32) bool) uint32 {
	t.Helper()
	for range 6000 {
		if mark := markOf(t, pid); want(mark) {
			return mark
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("process %d does not get its mark: %d", pid, markOf(t, pid))
	return 0
}

// attackLineage has a child of a process that becomes the trusted loader execute
// the loader as a worker, which loads what it is told by who has the other end
// of its socket. What the loader did not start itself it does not vouch for.
func attackLineage(t *testing.T) {
	sign, theirSign, err := os.Pipe()
	must(t, err)
	defer theirSign.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	broker, theirs := os.NewFile(uintptr(pair[0]), "broker"), os.NewFile(uintptr(pair[1]), "worker")
	defer broker.Close()
	output, full := fullPipe(t) // the loader stays when it says what it loaded
	number, theirNumber, err := os.Pipe()
	must(t, err)
	defer number.Close()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{becomesLoader}, ExtraFiles: []*os.File{sign, theirs, theirNumber}, Stdout: full, Stderr: os.Stderr}
	must(t, cmd.Start())
	must(t, errors.Join(sign.Close(), theirs.Close(), theirNumber.Close(), full.Close()))
	var child int
	_, err = fmt.Fscanln(number, &child)
	must(t, err)

	waitMark(t, cmd.Process.Pid, func(mark uint32) bool { return mark == markTrusted })
	_, err = theirSign.Write([]byte{1})
	must(t, err)
	mark := waitMark(t, child, func(mark uint32) bool { return mark&markBinary != 0 })
	if markOf(t, cmd.Process.Pid) != markTrusted {
		t.Error("its parent ended before it had executed the loader")
	}
	if mark != markBinary {
		t.Errorf("a worker that the loader did not start has mark %d", mark)
	}
	must(t, errors.Join(broker.Close(), output.Close())) // which ends them
	_ = cmd.Wait()
}

// attackFilter starts the loader beneath a filter of system calls, which could
// answer them in the kernel's name.
func attackFilter(t *testing.T) {
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{filtered, "load", "/usr/lib/tbpf/boot/multi.tbpf"}}
	out, _ := cmd.CombinedOutput()
	want := 0
	if !signatures() {
		want = 16
	}
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Errorf("the loader beneath a filter: exit %d, want %d\n%s", code, want, out)
	}
}
