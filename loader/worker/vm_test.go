//go:build vmguest

package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys/keyring"
)

// TestMain is also the worker's start: the first message says how this one
// behaves. Real workers know nothing of it.
func TestMain(m *testing.M) {
	if len(os.Args) > 0 && os.Args[0] == Name {
		err := kernelload.OnThread(func() error {
			b, _, err := receive(socketFD, 0)
			if err != nil {
				return err
			}
			return behaviours[string(b)]()
		})
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if path := os.Getenv(brokerFixture); path != "" {
		if err := broker(path); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// obey is how workers behave.
const obey = "obey"

// needTokens skips a test on the kernel that has none.
func needTokens(t *testing.T) {
	t.Helper()
	have, err := bpfsys.HaveTokens()
	if err != nil {
		t.Fatal(err)
	}
	if !have {
		t.Skip("this kernel has no tokens")
	}
}

// job is a test's part as broker.
type job struct {
	behaviour string
	spec      Spec
	early     bool   // the worker misbehaves before it has given up anything
	limit     uint64 // of open files, 0 = as it is
}

// run starts a worker and gives it to f, on a thread as load has it. Nothing
// may be left afterwards: no process, no descriptor, and nothing of BPF.
func (j job) run(t *testing.T, f func(*Worker) error) error {
	t.Helper()
	needTokens(t)
	before := leftovers(t)
	err := kernelload.OnThread(func() error {
		if err := keyring.Isolate(); err != nil {
			return err
		}
		restore, err := limitFiles(j.limit)
		if err != nil {
			return err
		}
		defer restore()
		w, err := j.begin()
		if err != nil {
			return err
		}
		pid := w.pid
		err = j.with(w, f)
		if closeErr := w.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("close: %w", closeErr))
		}
		if !w.ended || unix.Kill(pid, 0) != unix.ESRCH {
			err = errors.Join(err, errors.New("the process is still there"))
		}
		return err
	})
	expectGone(t, before)
	return err
}

// expectGone waits until there is nothing that was not there before. The kernel
// frees programs and maps a little later.
func expectGone(t *testing.T, before []string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := slices.DeleteFunc(leftovers(t), func(one string) bool { return slices.Contains(before, one) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("still there: %s", strings.Join(left, ", "))
			return
		}
	}
}

// limitFiles lowers the limit of open files until restore is called.
func limitFiles(limit uint64) (restore func(), err error) {
	var whole unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &whole); err != nil || limit == 0 {
		return func() {}, err
	}
	err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: whole.Max})
	return func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &whole) }, err
}

// begin starts the process: where it shall misbehave early, it is executed
// before it has given up anything.
func (j job) begin() (*Worker, error) {
	if j.early {
		return begin(j.spec.Timeout, nil, Name)
	}
	caps, err := parseCapabilities(j.spec.Capabilities)
	if err != nil {
		return nil, err
	}
	return begin(j.spec.Timeout, &plan{caps: caps}, Name)
}

func (j job) with(w *Worker, f func(*Worker) error) error {
	if !j.early {
		delegated, err := newMasks(j.spec.Delegation)
		if err != nil {
			return err
		}
		if err := w.delegate(delegated); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	if err := w.send(w.deadline(), []byte(j.behaviour)); err != nil {
		return err
	}
	if !j.early {
		if err := w.awaitReady(); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	return f(w)
}

// leftovers lists what a load could leave: ids of programs, maps and links, and
// the descriptors of this process.
func leftovers(t *testing.T) []string {
	t.Helper()
	time.Sleep(time.Millisecond) // the runtime's poller opens its descriptors now, if it did not yet
	var all []string
	for _, cmd := range []bpfabi.Command{bpfabi.CommandProgGetNextID, bpfabi.CommandMapGetNextID, bpfabi.CommandLinkGetNextID} {
		attr := new([3]uint32) // start_id, next_id, flags
		for {
			_, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
			if errno == unix.ENOENT {
				break
			}
			if errno != 0 {
				t.Fatalf("%v: %v", cmd, errno)
			}
			attr[0] = attr[1]
			all = append(all, fmt.Sprintf("%v %d", cmd, attr[1]))
		}
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries { // their numbers may be others
		all = append(all, fmt.Sprintf("descriptor no. %d", i))
	}
	return all
}

// sealed is a fixture's load without a signature, as every kernel takes it:
// here it is about tokens and workers.
type sealed struct {
	name     string
	manifest *manifest.Manifest
	payload  kernelload.Payload
	settings kernelload.Settings
}

func (s *sealed) spec() Spec {
	return Spec{Delegation: s.manifest.Delegation, Capabilities: s.manifest.Capabilities, Timeout: time.Minute}
}

func sealedPath(name string) string { return filepath.Join("sealed", name+".bpf.tbpf") }

func readSealed(t *testing.T, path string) *sealed {
	t.Helper()
	s, err := openSealed(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openSealed(path string) (*sealed, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, sealBytes, err := seal.Split(file)
	if err != nil {
		return nil, err
	}
	decoded, err := seal.Decode(sealBytes)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Decode(decoded.Payload)
	if err != nil {
		return nil, err
	}
	s := &sealed{name: strings.TrimSuffix(filepath.Base(path), ".bpf.tbpf"), manifest: m, settings: kernelload.Settings{ContextSize: m.Context}}
	for _, l := range decoded.Loaders {
		if l.Profile == bpfabi.Bound {
			s.payload = kernelload.Payload{Profile: bpfabi.Bound, Instructions: slices.Clone(l.Instructions), Metadata: slices.Clone(decoded.Metadata)}
		}
	}
	for i := range m.Maps {
		s.settings.Outputs = append(s.settings.Outputs, m.Maps[i].Slot)
	}
	for i := range m.Programs {
		p := &m.Programs[i]
		s.settings.Outputs = append(s.settings.Outputs, p.Slot)
		if p.Attach.By == "kernel" {
			s.settings.Outputs = append(s.settings.Outputs, p.Attach.Link)
		}
	}
	return s, nil
}

func fixture(t *testing.T, name string) *sealed {
	t.Helper()
	return readSealed(t, sealedPath(name))
}

// try loads it in a worker.
func (s *sealed) try(w *Worker) (*kernelload.Result, error) {
	return w.Try(s.payload, s.settings, nil)
}
