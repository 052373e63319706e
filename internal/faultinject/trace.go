//go:build linux && amd64

package faultinject

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// options make the kernel follow children and threads, mark the stops at
// system calls, and kill everything if this process dies.
const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL

// syscallStop is a stop at a system call, by PTRACE_O_TRACESYSGOOD.
const syscallStop = unix.SIGTRAP | 0x80

// syscallInfo is the part of struct ptrace_syscall_info that is read here
// (include/uapi/linux/ptrace.h; Linux 5.3).
type syscallInfo struct {
	op     uint8
	_      [3]uint8
	arch   uint32
	ip, sp uint64
	nr     uint64
	args   [6]uint64
}

// Values of syscallInfo.op.
const (
	opEntry = 1
	opExit  = 2
)

// follow runs the command to its end.
func (t *tracer) follow() error {
	var status unix.WaitStatus
	if _, err := unix.Wait4(t.first, &status, unix.WALL, nil); err != nil {
		return fmt.Errorf("wait for the command: %w", err)
	}
	if !status.Stopped() {
		return fmt.Errorf("the command ended before it began: %#x", uint32(status))
	}
	t.know(t.first)
	if err := unix.PtraceSetOptions(t.first, options); err != nil {
		return fmt.Errorf("ptrace: %w", err)
	}
	if err := t.resume(t.first, 0); err != nil {
		return err
	}
	for {
		thread, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECHILD:
			return nil
		case err != nil:
			return fmt.Errorf("wait for the command: %w", err)
		}
		if err := t.changed(thread, status); err != nil {
			return err
		}
	}
}

// changed deals with a thread that ended or stopped, and lets it go on.
func (t *tracer) changed(thread int, status unix.WaitStatus) error {
	if !status.Stopped() {
		if thread == t.first {
			t.result.Status = status
		}
		t.forget(thread)
		return nil
	}
	known := t.know(thread)
	signal := status.StopSignal()
	switch {
	case signal == syscallStop:
		if err := t.atCall(thread); err != nil {
			return gone(err)
		}
		signal = 0
	case status.TrapCause() > 0: // a new thread or process, or another program
		signal = 0
	case signal == unix.SIGSTOP && !known: // how a new thread begins
		signal = 0
	}
	if t.expired.Load() { // one that began meanwhile
		t.killAll()
	}
	return t.resume(thread, signal)
}

// atCall deals with a thread that begins a system call or comes back from one.
func (t *tracer) atCall(thread int) error {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(thread),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return fmt.Errorf("ptrace: which system call: %w", errno)
	}
	switch {
	case info.op == opEntry && !t.result.Hit && (t.every || !waits(info.nr)):
		t.result.Calls++
		if t.result.Calls == t.fault.Index {
			return t.interfere(thread, info.nr)
		}
	case info.op == opExit && thread == t.failed:
		t.failed = 0
		return change(thread, func(r *unix.PtraceRegs) { r.Rax = uint64(-int64(t.fault.Errno)) })
	}
	return nil
}

// interfere is the fault.
func (t *tracer) interfere(thread int, nr uint64) error {
	process := t.process(thread)
	t.result.Hit, t.result.Call, t.result.First = true, nr, process == t.first
	if t.fault.Errno == 0 {
		// The thread stands before the call, and does not make it any more
		// (kernel/ptrace: ptrace_report_syscall_entry tells of a fatal signal).
		return unix.Kill(process, unix.SIGKILL)
	}
	switch nr {
	case unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_RT_SIGRETURN:
		t.result.Immune = true // no kernel lets these fail
		return nil
	}
	// Another call is made instead. The usual one, number -1, is no good: it
	// would meet the worker's seccomp filter, which knows no such call.
	t.failed = thread
	return change(thread, func(r *unix.PtraceRegs) { r.Orig_rax = unix.SYS_SCHED_YIELD })
}

func change(thread int, f func(*unix.PtraceRegs)) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(thread, &regs); err != nil {
		return fmt.Errorf("ptrace: read registers: %w", err)
	}
	f(&regs)
	if err := unix.PtraceSetRegs(thread, &regs); err != nil {
		return fmt.Errorf("ptrace: write registers: %w", err)
	}
	return nil
}

// waits reports whether a system call only waits, or belongs to how Go's runtime
// deals with signals. Where and how often these come depends on which thread
// runs when, so that an index that counted them would mean another call in every
// run.
func waits(nr uint64) bool {
	switch nr {
	case unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_RESTART_SYSCALL,
		unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT, unix.SYS_TGKILL, unix.SYS_GETPID, unix.SYS_GETTID,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK:
		return true
	default:
		return false
	}
}

// resume lets a thread run to its next system call, or to its end once the fault
// has happened.
func (t *tracer) resume(thread int, signal unix.Signal) error {
	if t.result.Hit && t.failed == 0 {
		return gone(unix.PtraceCont(thread, int(signal)))
	}
	return gone(unix.PtraceSyscall(thread, int(signal)))
}

// gone takes a thread that was killed while it stood still for no error: its
// end is told next.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// know takes note of a thread and of the process that it belongs to, and reports
// whether it was known.
func (t *tracer) know(thread int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.groups[thread]; known {
		return true
	}
	t.groups[thread] = processOf(thread)
	return false
}

func (t *tracer) forget(thread int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.groups, thread)
}

func (t *tracer) process(thread int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.groups[thread]
}

// processOf asks which process a thread belongs to. One that has ended just now
// is its own.
func processOf(thread int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return thread
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("Tgid:")); ok {
			if n, err := strconv.Atoi(string(bytes.TrimSpace(rest))); err == nil {
				return n
			}
		}
	}
	return thread
}
