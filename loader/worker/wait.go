//go:build linux

package worker

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// ErrTimeout says that a worker did not answer in time. It has been killed.
var ErrTimeout = errors.New("the worker did not answer in time")

// endTimeout is how long the end of a killed process is waited for. It may be
// in the kernel, which ends what it does there first.
const endTimeout = 30 * time.Second

// DiedError says that a worker ended by itself.
type DiedError struct{ State string }

func (e *DiedError) Error() string { return "the worker ended: " + e.State }

func (w *Worker) deadline() time.Time { return time.Now().Add(w.timeout) }

// receive waits for a message, but not for ever.
func (w *Worker) receive(deadline time.Time) ([]byte, []*bpfsys.FD, error) {
	for {
		if err := w.await(unix.POLLIN, deadline); err != nil {
			return nil, nil, err
		}
		b, fds, err := receive(w.sock.Int(), unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EAGAIN) {
			return b, fds, w.whyGone(err)
		}
	}
}

// send sends a message, but does not wait for ever until there is room for it:
// a worker that reads nothing holds nobody up.
func (w *Worker) send(deadline time.Time, b []byte, fds ...int) error {
	for {
		if err := w.await(unix.POLLOUT, deadline); err != nil {
			return err
		}
		err := send(w.sock.Int(), unix.MSG_DONTWAIT, b, fds...)
		if !errors.Is(err, unix.EAGAIN) {
			return w.whyGone(err)
		}
	}
}

// await waits until the socket is ready. A worker that is late is killed.
func (w *Worker) await(events int16, deadline time.Time) error {
	ready, err := poll(w.sock, events, deadline)
	if err == nil && !ready {
		err = errors.Join(ErrTimeout, w.kill())
	}
	return err
}

// poll waits until a descriptor is ready, or the deadline is over.
func poll(fd *bpfsys.FD, events int16, deadline time.Time) (bool, error) {
	for {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd.Int()), Events: events}}, int((left+time.Millisecond-1)/time.Millisecond))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return false, fmt.Errorf("poll: %w", err)
		case n > 0:
			return true, nil
		case left == 0:
			return false, nil
		}
	}
}

// whyGone says how a worker ended that closed its socket.
func (w *Worker) whyGone(err error) error {
	if !errors.Is(err, errGone) {
		return err
	}
	// Its end is at most moments away, unless it closed the socket only.
	if reapErr := w.reap(time.Now().Add(time.Second)); reapErr != nil {
		return errors.Join(err, w.kill())
	}
	return &DiedError{State: endOf(w.status)}
}

// errStuck says that a killed process has not ended.
var errStuck = errors.New("the worker was killed and has not ended: something holds it in the kernel")

// reap waits for the end of the process.
func (w *Worker) reap(deadline time.Time) (err error) {
	if w.pid == 0 || w.ended {
		return nil
	}
	if w.pidfd != nil {
		ended, err := poll(w.pidfd, unix.POLLIN, deadline)
		if err != nil {
			return err
		}
		if !ended {
			return errStuck
		}
	}
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(w.pid, &w.status, 0, nil)
	}
	if err != nil {
		return fmt.Errorf("wait for the worker: %w", err)
	}
	w.ended = true
	return nil
}

// endOf says how a process ended.
func endOf(status unix.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

// kill ends the worker at once.
func (w *Worker) kill() error {
	if w.pidfd == nil || w.ended {
		return nil
	}
	if err := unix.PidfdSendSignal(w.pidfd.Int(), unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("kill worker: %w", err)
	}
	return nil
}

// Close ends the worker. What it made and did not hand over goes with it.
func (w *Worker) Close() error {
	err := errors.Join(w.kill(), w.sock.Close())
	if reapErr := w.reap(time.Now().Add(endTimeout)); reapErr != nil {
		err = errors.Join(err, reapErr)
	}
	runtime.KeepAlive(w.child) // it may have run until now
	return errors.Join(err, w.pidfd.Close())
}
