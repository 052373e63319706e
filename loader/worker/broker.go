//go:build linux

package worker

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Spec is what a worker is given.
type Spec struct {
	Delegation   manifest.Delegation
	Capabilities []string // "CAP_BPF", ...
	// Timeout bounds each answer, with all that belongs to it; 0 is
	// DefaultTimeout.
	Timeout time.Duration
}

// DefaultTimeout is how long a worker may take for one answer. Verifying the
// largest programs takes a slow machine some seconds.
const DefaultTimeout = 60 * time.Second

// Worker is the broker's end. It is for one goroutine.
type Worker struct {
	pid     int // 0: not started
	child   *child
	pidfd   *bpfsys.FD
	sock    *bpfsys.FD
	timeout time.Duration
	ended   bool // and was waited for, with this status
	status  unix.WaitStatus
}

// Start starts a worker with a token for exactly the delegation, and returns
// when it has given everything else up. The caller needs CAP_SYS_ADMIN in the
// initial user namespace, and must be locked to its thread until Close: a
// worker dies with the thread that started it. That thread's session keyring
// becomes that of the worker's threads, so nothing may be in it.
func Start(spec Spec) (*Worker, error) {
	caps, err := parseCapabilities(spec.Capabilities)
	if err != nil {
		return nil, err
	}
	delegated, err := newMasks(spec.Delegation)
	if err != nil {
		return nil, fmt.Errorf("delegation: %w", err)
	}
	w, err := begin(spec.Timeout, &plan{caps: caps}, Name)
	if err != nil {
		return nil, err
	}
	err = w.delegate(delegated)
	if err == nil {
		err = w.awaitReady()
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// begin starts the process: a worker, or, without a plan, one that has only a
// user namespace of its own.
func begin(timeout time.Duration, p *plan, args ...string) (*Worker, error) {
	if isOne() {
		return nil, errors.New("a worker starts no workers: this program does not call worker.Main")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	w := &Worker{timeout: timeout}
	if w.timeout <= 0 {
		w.timeout = DefaultTimeout
	}
	if w.sock, err = bpfsys.NewFD(pair[0]); err != nil {
		return nil, errors.Join(err, unix.Close(pair[1]))
	}
	if err := w.spawn(pair[1], p, args); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// delegate configures the bpffs of the worker's token.
func (w *Worker) delegate(delegated masks) error {
	deadline := w.deadline()
	b, fds, err := w.receive(deadline)
	if err != nil {
		return err
	}
	defer closeAll(fds)
	if err := setupFailure(b); err != nil {
		return err
	}
	if len(b) != 1 || b[0] != byte(opMount) || len(fds) != 1 {
		return errProtocol
	}
	if err := delegated.apply(fds[0].Int()); err != nil {
		return err
	}
	return w.send(deadline, []byte{byte(opMount)})
}

// awaitReady waits until the worker says that it has given up everything that
// it is not to have.
func (w *Worker) awaitReady() error {
	b, fds, err := w.receive(w.deadline())
	if err != nil {
		return err
	}
	defer closeAll(fds)
	if err := setupFailure(b); err != nil {
		return err
	}
	if len(b) != 1 || b[0] != byte(opReady) || len(fds) != 0 {
		return errProtocol
	}
	return nil
}

// ask sends a request and takes the answer.
func (w *Worker) ask(deadline time.Time, r *request, fds ...int) (*answer, error) {
	if err := w.send(deadline, r.encode(), fds...); err != nil {
		return nil, err
	}
	b, came, err := w.receive(deadline)
	if err != nil {
		return nil, err
	}
	if len(came) != 0 {
		return nil, errors.Join(errProtocol, closeAll(came))
	}
	a, err := decodeAnswer(b)
	if err != nil {
		return nil, err
	}
	if a.failed != nil {
		return nil, a.failed
	}
	return a, nil
}

// HasSignatures is kernelload's, with the worker's token.
func (w *Worker) HasSignatures() (bool, error) { return w.askYes(opSignatures) }

// ChecksNothing is kernelload's, with the worker's token.
func (w *Worker) ChecksNothing() (bool, error) { return w.askYes(opChecksNothing) }

func (w *Worker) askYes(op operation) (bool, error) {
	a, err := w.ask(w.deadline(), &request{op: op})
	if err != nil {
		return false, err
	}
	if len(a.slots) != 0 {
		return false, errProtocol
	}
	return a.yes, nil
}

// Try is kernelload.Try in the worker, with its token: settings.Token must be
// nil. inputFDs says which of the inputs are descriptors.
func (w *Worker) Try(p kernelload.Payload, s kernelload.Settings, inputFDs map[int]bool) (*kernelload.Result, error) {
	if s.Token != nil {
		return nil, errors.New("a worker has a token of its own")
	}
	payload, err := newMemfd("tbpf-payload", p.Instructions, p.Metadata, p.CMS)
	if err != nil {
		return nil, err
	}
	defer payload.Close()
	deadline := w.deadline()
	r, fds := newTry(p, s, inputFDs)
	a, err := w.ask(deadline, r, append([]int{payload.Int()}, fds...)...)
	if err != nil {
		return nil, err
	}
	if a.yes {
		return nil, errProtocol
	}
	return w.takeResult(deadline, a, s)
}
