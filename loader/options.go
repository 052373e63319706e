package loader

import (
	"crypto/x509"
	"time"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/keyring"
)

// DefaultPinDir is where status and unload look when they are given no other
// directory.
const DefaultPinDir = "/sys/fs/bpf/tbpf"

// KernelVerify says whether the kernel has to check a loader program's
// signature.
type KernelVerify uint8

const (
	// Required refuses to load where the kernel does not check. It is the
	// zero value.
	Required KernelVerify = iota
	// IfAvailable loads without the kernel's check on a kernel that cannot
	// check signatures at all. One that can still has to.
	IfAvailable
)

// Options are a load's. The zero value of each is the strict setting.
type Options struct {
	// Trusted are the keys whose kernel signatures the kernel shall take. Load
	// makes a kernel keyring of its own, holding only the certificate of the
	// object's kernel signer, if that key is one of these.
	Trusted *keys.Keyring
	// Keyring names an existing kernel keyring instead.
	Keyring keyring.Reference
	// Shared, where it is set, gives a keyring that many objects are checked
	// against, if it holds this certificate of a trusted signer; else nothing,
	// and Load makes a keyring for the object alone. It is asked only once it
	// is known that the kernel checks signatures.
	Shared func(*x509.Certificate) (keyring.Reference, error)
	// KernelVerify says whether a kernel that cannot check is good enough.
	KernelVerify KernelVerify
	// BPFFS is a bpffs from whose delegation a BPF token is made: that token
	// is used for everything and no other. Empty: the caller's capabilities.
	BPFFS string
	// Isolate loads in a worker (package worker): an unprivileged process with
	// a BPF token for exactly the manifest's delegation. It needs root in the
	// initial user namespace, and Linux 6.9. Programs that set it must call
	// worker.Main first of all.
	Isolate bool
	// Timeout bounds each answer of a worker; 0 is worker.DefaultTimeout.
	Timeout time.Duration
	// Turn is called when all is done that nobody else can see: the machine is
	// looked at and the worker is ready. The load goes on when it comes back, or
	// ends with its error. nil: there is nothing to wait for.
	Turn func() error
	// Attempt lets the caller give the load up; nil if it never does.
	Attempt *Attempt
	// Pin is a directory in a bpffs; the object is pinned beneath it in a
	// directory of its own name. Empty: nothing is pinned, and the object
	// lives as long as the Loaded.
	Pin string
	// Replace puts the object in place of one that is pinned there under the
	// same name. There is no moment in which neither is attached: where an
	// attachment can be given another program (XDP, tc, cgroup, network
	// namespace) it is, elsewhere the new one is attached before the old one
	// is detached. On failure the old one stays.
	Replace bool
	// Attach names targets for programs whose target the machine chooses: an
	// interface ("eth0", "eth0:egress" for tc programs), the path of a cgroup,
	// the path of a network namespace. A program that is not named is loaded
	// and not attached.
	Attach map[string]string
	// Set has values for variables and sizes that the manifest declares as
	// tunable, by name. What is not set keeps the value that the object has.
	// Variables that programs declare __kconfig get what this kernel is, unless
	// they are set.
	Set map[string]string
	// KernelConfig reads the configuration that the kernel has of itself, for
	// machines that keep it in no file; fs.ErrNotExist where it has none. nil:
	// it is not asked. Package internal/procconfig has it.
	KernelConfig func() ([]byte, error)
}
