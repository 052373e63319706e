//go:build linux

package worker

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/keys/keyring"
)

// socketFD is the descriptor that a worker is started with: its end of the
// socket. 0 to 2 are an empty file.
const socketFD = 3

// Main is a worker's whole life. Programs that load through workers call it
// before anything else; it returns false in a process that is none, and does
// not return in one that is. Their packages must not start goroutines that use
// timers or the network before: the filter ends a worker for that.
func Main() bool {
	if !isOne() {
		return false
	}
	code := 0
	if err := kernelload.OnThread(work); err != nil && !errors.Is(err, errGone) {
		code = 1
	}
	os.Exit(code)
	return true
}

// isOne reports whether this process is a worker.
func isOne() bool { return len(os.Args) > 0 && os.Args[0] == Name }

// work is the worker on its one thread that loads.
func work() error {
	token, err := prepare()
	if err == nil {
		err = confine(socketFD)
		if err != nil {
			err = &SetupError{Step: stepFilter, cause: err}
		}
	}
	if err != nil {
		return errors.Join(err, sendFailure(socketFD, err))
	}
	if err := send(socketFD, 0, []byte{byte(opReady)}); err != nil {
		return err
	}
	for {
		if err := serve(socketFD, token); err != nil {
			return err
		}
	}
}

// prepare gives up what is left to give up: this program was executed with the
// capabilities, the descriptors and the token that it works with (fork.go).
func prepare() (*bpfsys.FD, error) {
	if err := limit(); err != nil {
		return nil, &SetupError{Step: stepLimits, cause: err}
	}
	// The other threads keep the one that they were started with, in which
	// the broker has put nothing.
	if err := keyring.Isolate(); err != nil {
		return nil, &SetupError{Step: stepKeyring, cause: err}
	}
	return bpfsys.NewFD(tokenFD)
}

// maxThreads is for the Go runtime: with two processors it has about six.
const maxThreads = 64

// limit lets nobody look into this process, and bounds what it can take from
// the machine: threads, and memory for the largest payload and log many times.
func limit() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	debug.SetMaxThreads(maxThreads)
	for resource, limit := range map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NPROC: maxThreads, unix.RLIMIT_DATA: 1 << 30,
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("setrlimit %d: %w", resource, err)
		}
	}
	return nil
}
