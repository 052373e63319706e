//go:build vmguest

package worker

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/keys/keyring"
)

// A worker has what its delegation lists, and no more of it.
func TestWorkersHaveWhatTheDelegationLists(t *testing.T) {
	for name, want := range map[string]string{
		"array": "ok", "syscall": "ok",
		"allocate": "0 collections",
		"hash":     "operation not permitted", "xdp": "operation not permitted",
	} {
		t.Run(name, func(t *testing.T) {
			err := job{behaviour: "probed", spec: small()}.run(t, func(w *Worker) error {
				got, err := w.probe(name)
				if err == nil && !strings.HasSuffix(got, want) {
					err = fmt.Errorf("%q, want %q", got, want)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// What the filter does not list ends the worker.
func TestWorkersMakeNoOtherSystemCalls(t *testing.T) {
	for _, name := range []string{"open", "socket", "fork", "execute", "capset", "capget", "add-key 1", "read-ring 1"} {
		t.Run(name, func(t *testing.T) {
			err := job{behaviour: "probed", spec: small()}.run(t, func(w *Worker) error {
				got, err := w.probe(name)
				var died *DiedError
				if !errors.As(err, &died) || died.State != "signal: bad system call" {
					return fmt.Errorf("%q, %w", got, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// What holds without the filter as well: of two walls either has to stand
// alone.
func TestWorkersWithoutTheFilter(t *testing.T) {
	err := job{behaviour: "unfiltered", spec: small()}.run(t, func(w *Worker) error {
		// As load does: the ring is in a session keyring that the worker did
		// not inherit.
		if err := keyring.Isolate(); err != nil {
			return err
		}
		ring, err := unix.AddKey("keyring", "ring", nil, unix.KEY_SPEC_SESSION_KEYRING)
		if err != nil {
			return err
		}
		argument := " " + strconv.Itoa(ring)
		var errs []error
		for name, want := range map[string]string{
			"capget":                          "c000000000 c000000000 0",
			"capset":                          "operation not permitted",
			"dumpable":                        "0",
			"open":                            "no such file or directory",
			"root":                            "0 entries",
			"add-key" + argument:              "permission denied",
			"add-key-other-thread" + argument: "permission denied",
			"set-permissions" + argument:      "permission denied",
			"read-ring" + argument:            "permission denied\n-1 bytes",
			"read-session":                    "0 bytes",
		} {
			got, err := w.probe(name)
			if err == nil && got != want {
				err = fmt.Errorf("%s: %q, want %q", name, got, want)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Error(err)
	}
}

// Without a second session keyring in the broker, the worker's other threads
// would possess the ring: the test above means something.
func TestAnInheritedSessionKeyringWouldDo(t *testing.T) {
	needTokens(t)
	var got string
	err := kernelload.OnThread(func() error {
		if err := keyring.Isolate(); err != nil {
			return err
		}
		ring, err := unix.AddKey("keyring", "ring", nil, unix.KEY_SPEC_SESSION_KEYRING)
		if err != nil {
			return err
		}
		j := job{behaviour: "unfiltered", spec: small()}
		w, err := j.begin()
		if err != nil {
			return err
		}
		err = j.with(w, func(w *Worker) (err error) {
			got, err = w.probe("add-key-other-thread " + strconv.Itoa(ring))
			return err
		})
		return errors.Join(err, w.Close())
	})
	if err != nil || got != "ok" {
		t.Errorf("%q, %v", got, err)
	}
}

// The token shows exactly the delegation, on kernels that tell (6.17).
func TestTokensShowTheDelegation(t *testing.T) {
	want, err := newMasks(small().Delegation)
	if err != nil {
		t.Fatal(err)
	}
	err = job{behaviour: "probed", spec: small()}.run(t, func(w *Worker) error {
		got, err := w.probe("masks")
		switch os.Getenv("TBPF_KERNEL") {
		case "6.12":
			if !strings.HasSuffix(got, "invalid argument") {
				return fmt.Errorf("%q, %w", got, err)
			}
		default:
			if got != fmt.Sprintf("%+v", want) {
				return fmt.Errorf("%q, want %+v, %w", got, want, err)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
