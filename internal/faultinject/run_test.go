//go:build linux && amd64 && !vmguest

package faultinject

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Roles of the test binary, by its only argument.
const (
	worker  = "faultinject-worker"  // makes a directory and starts a helper
	helper  = "faultinject-helper"  // makes another
	sleeper = "faultinject-sleeper" // never ends, nor does its child
)

const exitNoSpace = 7

func TestMain(m *testing.M) {
	if len(os.Args) != 3 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case worker:
		makeDir(os.Args[2] + "/worker")
		if exec.Command("/proc/self/exe", helper, os.Args[2]).Run() != nil {
			os.Exit(1)
		}
		makeDir(os.Args[2] + "/worker-again")
	case helper:
		makeDir(os.Args[2] + "/helper")
	case sleeper:
		if os.Args[2] != "child" {
			_ = exec.Command("/proc/self/exe", sleeper, "child").Run()
		}
		time.Sleep(time.Hour)
	default:
		os.Exit(m.Run())
	}
}

func makeDir(name string) {
	if err := unix.Mkdir(name, 0o700); err == unix.ENOSPC {
		os.Exit(exitNoSpace)
	} else if err != nil {
		os.Exit(1)
	}
}

// run runs the test binary in a role, in a directory of its own.
func run(t *testing.T, f Fault) (Result, string) {
	t.Helper()
	dir := t.TempDir()
	r, err := Run(Command{Args: []string{os.Args[0], worker, dir}, Env: []string{"GOMAXPROCS=1"}, Timeout: time.Minute}, f)
	if err != nil {
		t.Fatalf("%v: %v", f, err)
	}
	return r, dir
}

func TestWithoutAFaultTheCommandDoesItsWork(t *testing.T) {
	r, dir := run(t, Fault{})
	if r.Status != 0 || r.Hit || r.TimedOut || r.Calls < 50 {
		t.Errorf("result %+v", r)
	}
	for _, name := range []string{"worker", "helper", "worker-again"} {
		if _, err := os.Stat(dir + "/" + name); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryProcessIsHit also says that calls are hit before they are made: no
// directory is there whose system call was the one.
func TestEveryProcessIsHit(t *testing.T) {
	clean, _ := run(t, Fault{})
	first, other := false, false
	for i := 1; i <= clean.Calls; i += clean.Calls/12 + 1 {
		r, dir := run(t, Fault{Index: i})
		if !r.Hit { // it made fewer calls this time
			continue
		}
		first, other = first || r.First, other || !r.First
		if r.First && (!r.Status.Signaled() || r.Status.Signal() != unix.SIGKILL) {
			t.Errorf("call %d (%d): status %#x", i, r.Call, uint32(r.Status))
		}
		// A helper that has done its work may be in exit_group already, and
		// another thread of it is hit: that changes nothing any more.
		_, helper := os.Stat(dir + "/helper")
		if _, err := os.Stat(dir + "/worker-again"); err == nil && helper != nil && !r.First {
			t.Errorf("call %d: the worker went on without its helper", i)
		}
	}
	if !first || !other {
		t.Errorf("hit the first process: %v, another: %v", first, other)
	}
}

func TestACallFailsAndIsNotMade(t *testing.T) {
	clean, _ := run(t, Fault{})
	for i := 1; i <= clean.Calls; i++ {
		r, dir := run(t, Fault{Index: i, Errno: unix.ENOSPC})
		if !r.First || r.Call != unix.SYS_MKDIR && r.Call != unix.SYS_MKDIRAT {
			continue
		}
		if r.Status.ExitStatus() != exitNoSpace {
			t.Errorf("result %+v", r)
		}
		// Which of the two it was depends on how the runtime's calls fell.
		if _, err := os.Stat(dir + "/worker-again"); !os.IsNotExist(err) {
			t.Errorf("the directory was made: %v", err)
		}
		return
	}
	t.Error("no system call made a directory")
}

func TestNothingRunsOnAfterTheTimeIsOver(t *testing.T) {
	begin := time.Now()
	r, err := Run(Command{Args: []string{os.Args[0], sleeper, "parent"}, Timeout: time.Second}, Fault{})
	if err != nil || !r.TimedOut || !r.Status.Signaled() {
		t.Errorf("result %+v, %v", r, err)
	}
	if d := time.Since(begin); d > 30*time.Second {
		t.Errorf("it took %v", d)
	}
}
