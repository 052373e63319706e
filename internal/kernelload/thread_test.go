//go:build linux

package kernelload

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOnThreadReturnsWhatItsFunctionDoes(t *testing.T) {
	want := errors.New("this one")
	if err := OnThread(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
	if err := OnThread(func() error { return nil }); err != nil {
		t.Errorf("got %v", err)
	}
	// A goroutine that ends itself gives no result, which is not success.
	if err := OnThread(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("no result was taken for success")
	}
}

// A signal that is pending would stop a verifier run inside the loader program.
func TestOnThreadNoSignalIsPending(t *testing.T) {
	err := OnThread(func() error {
		// The runtime's own signal for preemption, and one that would end the
		// process.
		for _, sig := range []unix.Signal{unix.SIGURG, unix.SIGUSR1} {
			if err := unix.Tgkill(unix.Getpid(), unix.Gettid(), sig); err != nil {
				return err
			}
		}
		return unix.Nanosleep(&unix.Timespec{Nsec: 20e6}, nil)
	})
	if err != nil {
		t.Errorf("a system call was interrupted: %v", err)
	}
}

func TestOnThreadTheThreadEnds(t *testing.T) {
	var tid int
	_ = OnThread(func() error {
		tid = unix.Gettid()
		return nil
	})
	if tid == unix.Getpid() {
		t.Skip("it was the main thread, which the runtime keeps")
	}
	for range 200 {
		if unix.Tgkill(unix.Getpid(), tid, 0) == unix.ESRCH {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("the thread is still there, with its credentials")
}
