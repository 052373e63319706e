//go:build linux

package kernelload

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnThread runs f on an operating system thread of its own, which ends with f:
// f may change the thread's credentials, such as its session keyring.
//
// Signals are blocked on that thread but those of faults. A pending signal
// stops a verifier run with EAGAIN (kernel/bpf/verifier.c, do_check), also one
// inside a loader program, which cannot be run a second time; and the Go
// runtime sends such signals to preempt.
func OnThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		done := false
		defer func() {
			if !done {
				close(result) // f ended its goroutine: no answer is an answer
			}
		}()
		if err := blockSignals(); err != nil {
			result <- err
			done = true
			return
		}
		result <- f()
		done = true
	}()
	err, ok := <-result
	if !ok {
		return errGone
	}
	return err
}

// blockSignals blocks every signal of the calling thread but the ones that the
// kernel sends for what the thread itself did.
func blockSignals() error {
	var set unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = ^set.Val[i]
	}
	for _, sig := range []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGSYS} {
		bits := 8 * sizeofWord
		set.Val[(int(sig)-1)/bits] &^= 1 << ((int(sig) - 1) % bits)
	}
	return unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
}
