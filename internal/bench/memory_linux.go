package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// PeakMemory runs the process once more and returns the most memory that it
// had resident, in bytes: VmHWM, read when it is about to exit. ru_maxrss would
// be easier and wrong: the kernel keeps it over an exec, so it is never less
// than what the process had that forked, which is this one (fs/exec.c,
// exec_mmap; kernel/exit.c).
func (p *Process) PeakMemory() (int64, error) {
	// Ptrace requests must come from the thread that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var peak int64
	err := p.with(func(cmd *exec.Cmd) (err error) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		peak, err = watch(cmd.Process.Pid)
		return errors.Join(err, cmd.Process.Release())
	})
	return peak, err
}

// watch waits for a traced process and returns its peak memory.
func watch(pid int) (peak int64, err error) {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WALL, nil); err != nil {
		return 0, err
	}
	const killWithTracer = 0x100000 // PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACEEXIT|killWithTracer); err != nil {
		return 0, err
	}
	signal := 0
	for {
		if err := syscall.PtraceCont(pid, signal); err != nil {
			return 0, err
		}
		if _, err := syscall.Wait4(pid, &status, syscall.WALL, nil); err != nil {
			return 0, err
		}
		signal = 0
		switch {
		case status.Exited() && status.ExitStatus() == 0 && peak > 0:
			return peak, nil
		case status.Exited(), status.Signaled():
			return 0, fmt.Errorf("wait status %#x", int(status))
		case status.TrapCause() == syscall.PTRACE_EVENT_EXIT:
			if peak, err = highWater(pid); err != nil {
				return 0, err
			}
		case status.StopSignal() != syscall.SIGTRAP:
			signal = int(status.StopSignal())
		}
	}
}

// highWater reads VmHWM (proc(5)), in bytes.
func highWater(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM: the process has no memory any more")
}
