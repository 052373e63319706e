//go:build vmguest

package worker

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// behaviours are what a worker can do, right and wrong.
var behaviours = map[string]func() error{
	obey:         work,
	"probed":     func() error { return probed(true) },
	"unfiltered": func() error { return probed(false) },

	"hangs at once":    hang,
	"prepares nothing": func() error { return errors.Join(send(socketFD, 0, []byte{byte(opReady)}), hang()) },
	"ends at once":     func() error { return nil },
	"panics at once":   func() error { panic("a worker that panics") },
	"talks nonsense":   func() error { return send(socketFD, 0, []byte("nonsense")) },
	"opens a file":     func() error { return openMount(func() (int, error) { return unix.Open("/", unix.O_RDONLY, 0) }) },
	"opens a tmpfs":    func() error { return openMount(func() (int, error) { return unix.Fsopen("tmpfs", 0) }) },
	"opens two":        func() error { return send(socketFD, 0, []byte{byte(opMount)}, socketFD, socketFD) },
	"opens none":       func() error { return send(socketFD, 0, []byte{byte(opMount)}) },
	"is ready first":   func() error { return send(socketFD, 0, []byte{byte(opReady)}) },
	"fails by itself":  func() error { return sendFailure(socketFD, &SetupError{Step: stepToken, cause: unix.EPERM}) },

	"hangs in a load":  ready(func(*request, *kernelload.Result) error { return hang() }),
	"ends in a load":   ready(func(*request, *kernelload.Result) error { return nil }),
	"is killed":        ready(func(*request, *kernelload.Result) error { return unix.Kill(unix.Getpid(), unix.SIGKILL) }),
	"answers nonsense": ready(func(*request, *kernelload.Result) error { return send(socketFD, 0, []byte("nonsense")) }),
	"answers late": ready(func(_ *request, r *kernelload.Result) error {
		time.Sleep(4 * time.Second)
		return sendResult(socketFD, &answer{}, r)
	}),
	"answers in part":   ready(inPart),
	"announces and no":  ready(announces(func(*kernelload.Result) error { return hang() })),
	"announces and end": ready(announces(func(*kernelload.Result) error { return nil })),
	"sends none":        ready(announces(func(*kernelload.Result) error { return send(socketFD, 0, []byte{byte(opTry)}) })),
	"sends another":     ready(announces(func(r *kernelload.Result) error { return send(socketFD, 0, []byte{byte(opMount)}, numbers(r)...) })),
	"sends too many": ready(announces(func(r *kernelload.Result) error {
		return send(socketFD, 0, []byte{byte(opTry)}, append(numbers(r), 0)...)
	})),
	"sends with answer": ready(func(r *request, result *kernelload.Result) error {
		return send(socketFD, 0, (&answer{}).encode(), numbers(result)...)
	}),
	"sends other slots": ready(func(r *request, result *kernelload.Result) error {
		return send(socketFD, 0, (&answer{slots: []int{4000}}).encode())
	}),
	"says yes": ready(func(*request, *kernelload.Result) error { return send(socketFD, 0, (&answer{yes: true}).encode()) }),
}

func hang() error {
	time.Sleep(time.Hour)
	return nil
}

// openMount says that a descriptor is its file system.
func openMount(open func() (int, error)) error {
	n, err := open()
	if err != nil {
		return err
	}
	if err := send(socketFD, 0, []byte{byte(opMount)}, n); err != nil {
		return err
	}
	_, _, err = receive(socketFD, 0)
	return err
}

// ready is a worker that loads what it is told, without the filter, and then
// does f instead of answering.
func ready(f func(*request, *kernelload.Result) error) func() error {
	return func() error {
		token, err := prepare()
		if err != nil {
			return errors.Join(err, sendFailure(socketFD, err))
		}
		if err := send(socketFD, 0, []byte{byte(opReady)}); err != nil {
			return err
		}
		b, fds, err := receive(socketFD, 0)
		if err != nil {
			return err
		}
		r, err := decodeRequest(b)
		if err != nil {
			return err
		}
		result, err := try(&r.settings, token, fds)
		if err != nil {
			return err
		}
		return f(r, result)
	}
}

func numbers(r *kernelload.Result) (fds []int) {
	for _, fd := range r.FDs {
		fds = append(fds, fd.Int())
	}
	return fds
}

// announces answers properly, and then does f instead of sending descriptors.
func announces(f func(*kernelload.Result) error) func(*request, *kernelload.Result) error {
	return func(_ *request, result *kernelload.Result) error {
		a := &answer{}
		for slot := range result.FDs {
			a.slots = append(a.slots, slot)
		}
		if err := send(socketFD, 0, a.encode()); err != nil {
			return err
		}
		return f(result)
	}
}

// inPart sends one descriptor of several, and ends.
func inPart(r *request, result *kernelload.Result) error {
	return announces(func(*kernelload.Result) error { return send(socketFD, 0, []byte{byte(opTry)}, numbers(result)[0]) })(r, result)
}

// Whatever a worker does before it has anything, it is ended, and the error
// says what it was.
func TestWorkersThatNeverBecomeReady(t *testing.T) {
	for behaviour, want := range map[string]string{
		"hangs at once":   ErrTimeout.Error(),
		"ends at once":    "the worker ended: exit status 0",
		"panics at once":  "the worker ended: exit status",
		"talks nonsense":  errProtocol.Error(),
		"opens a file":    "fsconfig delegate_cmds: invalid argument",
		"opens a tmpfs":   "fsconfig delegate_cmds: invalid argument",
		"opens two":       errProtocol.Error(),
		"opens none":      errProtocol.Error(),
		"is ready first":  errProtocol.Error(),
		"fails by itself": "the worker could not make a token: operation not permitted",
	} {
		t.Run(behaviour, func(t *testing.T) {
			spec := small()
			spec.Timeout = 2 * time.Second
			start := time.Now()
			err := job{behaviour: behaviour, spec: spec, early: true}.run(t, func(w *Worker) error {
				delegated, err := newMasks(spec.Delegation)
				if err != nil {
					return err
				}
				return errors.Join(w.delegate(delegated), w.awaitReady())
			})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A worker that goes wrong after it has loaded leaves nothing: run looks.
func TestWorkersThatGoWrongInALoad(t *testing.T) {
	s := fixture(t, "fileguard")
	for behaviour, want := range map[string]string{
		"hangs in a load":   ErrTimeout.Error(),
		"ends in a load":    "the worker ended: exit status 0",
		"is killed":         "the worker ended: signal: killed",
		"answers nonsense":  errProtocol.Error(),
		"answers late":      ErrTimeout.Error(),
		"answers in part":   "the worker ended: exit status 0",
		"announces and no":  ErrTimeout.Error(),
		"announces and end": "the worker ended: exit status 0",
		"sends none":        errProtocol.Error(),
		"sends another":     errProtocol.Error(),
		"sends too many":    errProtocol.Error(),
		"sends with answer": errProtocol.Error(),
		"sends other slots": errProtocol.Error(),
		"says yes":          errProtocol.Error(),
	} {
		t.Run(behaviour, func(t *testing.T) {
			spec := s.spec()
			spec.Timeout = 3 * time.Second
			err := job{behaviour: behaviour, spec: spec}.run(t, func(w *Worker) error {
				result, err := s.try(w)
				if result != nil {
					err = errors.Join(err, result.Close())
				}
				return err
			})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// A worker that reads nothing holds up nobody.
func TestWorkersThatReadNothing(t *testing.T) {
	spec := small()
	spec.Timeout = time.Second
	err := job{behaviour: "hangs at once", spec: spec, early: true}.run(t, func(w *Worker) error {
		for range 100 {
			if err := w.send(w.deadline(), make([]byte, maxMessage)); err != nil {
				return err
			}
		}
		return errors.New("there was room for all of it")
	})
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
}

// Without user namespaces there is no worker, and the error says so.
func TestWithoutUserNamespaces(t *testing.T) {
	const sysctl = "/proc/sys/user/max_user_namespaces"
	before, err := os.ReadFile(sysctl)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sysctl, []byte("0"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Start(small())
	if restoreErr := os.WriteFile(sysctl, before, 0o644); restoreErr != nil {
		t.Fatal(restoreErr)
	}
	if !errors.Is(err, ErrNoNamespaces) {
		t.Errorf("%v", err)
	}
}

// Nor without the right to execute the program.
func TestWorkersMustBeExecutable(t *testing.T) {
	needTokens(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(self, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = Start(small())
	if restoreErr := os.Chmod(self, 0o755); restoreErr != nil {
		t.Fatal(restoreErr)
	}
	if !errors.Is(err, ErrNotExecutable) {
		t.Errorf("%v", err)
	}
}
