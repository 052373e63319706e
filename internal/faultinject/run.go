//go:build linux && amd64

package faultinject

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what is run.
type Command struct {
	Args    []string // the first is the program's path
	Env     []string
	Stdout  *os.File // also standard error; nil is nowhere
	Timeout time.Duration
	// Every counts all system calls. Otherwise those of waiting are passed over
	// (see waits): what a process has done by one of them, it has done by its
	// next call that does something, too.
	Every bool
}

// Fault is what goes wrong. The zero value is nothing.
type Fault struct {
	// Index is the system call's, from 1: those of all threads and processes
	// of the command are counted together, as Command.Every says.
	Index int
	// Errno is what it fails with; 0: its process is killed instead.
	Errno unix.Errno
}

func (f Fault) String() string {
	switch {
	case f.Index == 0:
		return "no fault"
	case f.Errno == 0:
		return fmt.Sprintf("SIGKILL at %d", f.Index)
	default:
		return fmt.Sprintf("%s at %d", unix.ErrnoName(f.Errno), f.Index)
	}
}

// Result is how it went.
type Result struct {
	Calls    int             // system calls that were counted, up to the fault
	Hit      bool            // the fault's system call was reached
	Immune   bool            // and was left alone: it cannot fail
	Call     uint64          // its number
	First    bool            // it was the first process's, not one of its children's
	Status   unix.WaitStatus // of the first process
	TimedOut bool            // everything was killed, because it took too long
}

// Run runs the command with one fault. While it runs, the calling process must
// start and wait for no other children: it takes the state changes of all.
func Run(cmd Command, fault Fault) (Result, error) {
	// ptrace knows a tracer by its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return Result{}, err
	}
	defer null.Close()
	out := cmd.Stdout
	if out == nil {
		out = null
	}
	process, err := os.StartProcess(cmd.Args[0], cmd.Args, &os.ProcAttr{
		Env: cmd.Env, Files: []*os.File{null, out, out}, Sys: &unix.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		return Result{}, err
	}
	t := &tracer{fault: fault, every: cmd.Every, first: process.Pid, groups: map[int]int{}}
	watchdog := time.AfterFunc(cmd.Timeout, t.expire)
	defer watchdog.Stop()
	err = t.follow()
	if err != nil {
		t.killAll()
		for !t.done() { // reap what was killed
		}
	}
	t.result.TimedOut = t.expired.Load()
	return t.result, err
}

// tracer follows one command.
type tracer struct {
	fault  Fault
	every  bool
	first  int // process id
	failed int // thread whose call was replaced and has not ended; 0: none
	result Result

	expired atomic.Bool
	mu      sync.Mutex
	groups  map[int]int // process by thread
}

// expire ends a command that takes too long.
func (t *tracer) expire() {
	t.expired.Store(true)
	t.killAll()
}

func (t *tracer) killAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, process := range t.groups {
		_ = unix.Kill(process, unix.SIGKILL) // one that has ended is fine
	}
}

// done waits for one thread to change its state, and reports whether there is
// none any more.
func (t *tracer) done() bool {
	var status unix.WaitStatus
	_, err := unix.Wait4(-1, &status, unix.WALL, nil)
	return err == unix.ECHILD
}
