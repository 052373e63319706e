package loader

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader/worker"
)

// isolatedKernel is the kernel as a worker sees it: whatever is loaded, is
// loaded there. What is only read, the broker reads itself.
type isolatedKernel struct {
	worker   *worker.Worker
	inputFDs map[int]bool
}

func (k isolatedKernel) try(p kernelload.Payload, s kernelload.Settings) (*kernelload.Result, error) {
	result, err := k.worker.Try(p, s, k.inputFDs)
	return result, workerError(err)
}

func (k isolatedKernel) hasSignatures(*bpfsys.FD) (bool, error) {
	yes, err := k.worker.HasSignatures()
	return yes, workerError(err)
}

func (k isolatedKernel) checksNothing(*bpfsys.FD) (bool, error) {
	yes, err := k.worker.ChecksNothing()
	return yes, workerError(err)
}

func (isolatedKernel) hasExcl() (known, excl bool) { return thisKernel{}.hasExcl() }

// startWorker starts the worker of one object, and gives the calling thread
// another session keyring.
func startWorker(m *manifest.Manifest, opt Options) (*worker.Worker, error) {
	if opt.BPFFS != "" {
		return nil, failure("worker", "", "worker-with-bpffs", errors.New("a worker makes a bpffs of its own and takes no other"))
	}
	have, err := bpfsys.HaveTokens()
	if err != nil {
		return nil, workerError(err)
	}
	if !have {
		return nil, &Error{verdict: Unsupported, Reason: "no-tokens", Stage: "worker",
			text: "this kernel has no BPF tokens: they came with Linux 6.9", Hint: "on such kernels objects can only be loaded with root's own capabilities"}
	}
	w, err := worker.Start(worker.Spec{Delegation: m.Delegation, Capabilities: m.Capabilities, Timeout: opt.Timeout})
	if ungrantable, ok := errors.AsType[*worker.UngrantableError](err); ok {
		return nil, &Error{verdict: Permission, Reason: "capability-outside-namespaces", Stage: "worker", Name: ungrantable.Name,
			text: ungrantable.Error(), Hint: "such an object can only be loaded without a worker"}
	}
	if err != nil {
		return nil, workerError(err)
	}
	// The threads of the worker have the session keyring that it was started
	// with: what is to be trusted goes into another one.
	if err := keyring.Isolate(); err != nil {
		return nil, errors.Join(failure("kernel keyring", "", "keyring-failed", err), w.Close())
	}
	return w, nil
}

// workerError makes an *Error of what went wrong with a worker. Refusals of the
// kernel pass: picking a profile needs them as they are.
func workerError(err error) error {
	if _, refused := errors.AsType[*kernelload.Error](err); err == nil || refused {
		return err
	}
	e := failure("worker", "", "worker-failed", err)
	switch {
	case errors.Is(err, worker.ErrTimeout):
		e.Reason = "worker-timeout"
	case errors.Is(err, worker.ErrNoNamespaces):
		e.verdict, e.Reason = Unsupported, "no-user-namespaces"
		e.Hint = "a worker needs one: raise the sysctl user.max_user_namespaces, and have CONFIG_USER_NS in the kernel"
	case errors.Is(err, worker.ErrNoProc):
		e.Reason, e.Hint = "no-proc", "mount -t proc proc /proc"
	case errors.Is(err, worker.ErrNotExecutable):
		e.verdict, e.Reason = Permission, "program-not-executable"
		e.Hint = "install this program executable by everybody (mode 0755), on a file system that is not mounted noexec"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		e.verdict = Permission
		e.Hint = "workers are started by root in the initial user namespace; " + hintDenied
	}
	return e
}

// descriptors says which of the inputs' values are descriptors.
func (in inputs) descriptors(m *manifest.Manifest) map[int]bool {
	slots := make(map[int]bool)
	for i := range m.Programs {
		p := &m.Programs[i]
		if one := in[p.Name]; one != nil && one.fd != nil {
			slots[p.Attach.InputSlot] = true
		}
	}
	return slots
}
