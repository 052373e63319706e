package loader

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/loader/worker"
)

// What goes wrong with a worker has a verdict and a reason each.
func TestErrorsOfWorkers(t *testing.T) {
	for _, c := range []struct {
		err     error
		verdict Verdict
		reason  string
	}{
		{worker.ErrTimeout, Failed, "worker-timeout"},
		{fmt.Errorf("start worker: %w: %w", worker.ErrNoNamespaces, unix.ENOSPC), Unsupported, "no-user-namespaces"},
		{fmt.Errorf("start worker: %w: %w", worker.ErrNotExecutable, unix.EACCES), Permission, "program-not-executable"},
		{fmt.Errorf("start worker: %w: %w", worker.ErrNoProc, unix.ENOENT), Failed, "no-proc"},
		{&worker.SetupError{Errno: unix.EPERM}, Permission, "worker-failed"},
		{&worker.SetupError{Errno: unix.ENOMEM}, Failed, "worker-failed"},
		{&worker.DiedError{State: "signal: bad system call"}, Failed, "worker-failed"},
	} {
		var e *Error
		if err := workerError(c.err); !errors.As(err, &e) || e.Verdict() != c.verdict || e.Reason != c.reason {
			t.Errorf("%v: %v, want %s %s", c.err, err, c.verdict, c.reason)
		}
	}
	// The kernel's own answers pick the profile: they pass as they are.
	refused := &kernelload.Error{Step: kernelload.StepLoad, Errno: unix.EKEYREJECTED}
	if err := workerError(refused); err != error(refused) {
		t.Errorf("%v", err)
	}
	if err := workerError(nil); err != nil {
		t.Errorf("%v", err)
	}
}

// A worker makes its own token: one from elsewhere would be used by nobody.
func TestAWorkerTakesNoOtherBPFFS(t *testing.T) {
	_, err := startWorker(new(manifest.Manifest), Options{Isolate: true, BPFFS: "/sys/fs/bpf"})
	var e *Error
	if !errors.As(err, &e) || e.Reason != "worker-with-bpffs" {
		t.Errorf("%v", err)
	}
}
