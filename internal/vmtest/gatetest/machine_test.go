//go:build vmguest

package gatetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/trusted"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/loader/worker"
	"github.com/trustedbpf/tbpf/verify"
)

const (
	pins       = "/sys/fs/bpf/tbpf/gate"
	loaderPath = policy.DefaultGateLoader
	gatePath   = policy.DefaultGateObject
	floorPath  = "/var/lib/tbpf/floor"
)

// TestMain is also the start of workers.
func TestMain(m *testing.M) {
	asRole()
	if worker.Main() {
		return
	}
	os.Exit(m.Run())
}

// kernel is the release that the suite runs on, signatures whether it checks any.
func kernel() string   { return os.Getenv("TBPF_KERNEL") }
func signatures() bool { return kernel() != "6.1" && kernel() != "6.12" }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

func put(t *testing.T, path string, data []byte, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, data, mode))
}

// writePolicy writes the machine's policy with lines of its gate.
func writePolicy(t *testing.T, gate string) {
	t.Helper()
	text := "[boot]\ntimeout = 600\n[gate]\n" + gate
	if !signatures() {
		text = "kernel-verify = \"if-available\"\n" + text
	}
	put(t, trusted.PolicyPath, []byte(text), 0o644)
}

// run runs the trusted loader.
func run(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	out, err := exec.Command(loaderPath, args...).CombinedOutput()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	if exited != nil {
		code = exited.ExitCode()
	}
	return code, string(out)
}

// verified is a sealed object as the suite's key signed it.
func verified(t *testing.T, path, certificate string) *verify.Verified {
	t.Helper()
	ring, err := keys.LoadKeyring([]string{certificate})
	must(t, err)
	v, err := verify.Bytes(read(t, path), verify.Options{Keyring: ring, Policy: policy.Default(), Now: time.Now()})
	must(t, err)
	return v
}

// payload is the loader program of an object without a signature.
func payload(t *testing.T, v *verify.Verified) kernelload.Payload {
	t.Helper()
	instructions, _, ok := v.Loader(bpfabi.Bound)
	if !ok {
		t.Fatal("no profile bound")
	}
	return kernelload.Payload{Profile: bpfabi.Bound, Instructions: instructions, Metadata: v.Metadata()}
}

// attr is BPF_PROG_LOAD's attribute of a trivial program, to be made worse.
type attr [168]byte

func (a *attr) u32(off int, v uint32) { *(*uint32)(unsafe.Pointer(&a[off])) = v }
func (a *attr) u64(off int, v uint64) { *(*uint64)(unsafe.Pointer(&a[off])) = v }

// keep keeps what an attribute points to alive.
type keep struct {
	attr
	held []any
}

func (k *keep) bytes(off int, b []byte) {
	k.held = append(k.held, b)
	k.u64(off, uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))))
}

var trivial = []byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}

// program is the attribute of a program of a type.
func program(typ bpfabi.ProgramType, instructions []byte) *keep {
	k := new(keep)
	k.u32(0, uint32(typ))
	k.u32(4, uint32(len(instructions)/8))
	k.bytes(8, instructions)
	k.bytes(16, []byte("Dual BSD/GPL\x00"))
	copy(k.attr[48:63], "attack")
	return k
}

// load is BPF_PROG_LOAD. A signal of the Go runtime's interrupts the verifier.
func (k *keep) load() error {
	for {
		n, _, errno := unix.Syscall(unix.SYS_BPF, 5, uintptr(unsafe.Pointer(&k.attr)), unsafe.Sizeof(k.attr))
		if errno == unix.EAGAIN {
			continue
		}
		if errno != 0 {
			return errno
		}
		return unix.Close(int(n))
	}
}

// wantRefused fails the test unless the error is EPERM.
func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, unix.EPERM) {
		t.Errorf("%s was not refused: %v", what, err)
	}
}

// wantOn fails the test unless the gate refuses what nobody signed.
func wantOn(t *testing.T, after string) {
	t.Helper()
	if err := program(bpfabi.ProgramSocketFilter, trivial).load(); !errors.Is(err, unix.EPERM) {
		t.Fatalf("after %s the gate is off: %v", after, err)
	}
}

// command runs a program and reports its output if it fails.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// has reports whether a text has all of these.
func has(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// gateMaps are the maps of the gate, by id.
func gateMaps(t *testing.T) map[string]uint32 {
	t.Helper()
	ids, err := bpfsys.MapIDs()
	must(t, err)
	maps := make(map[string]uint32)
	for _, id := range ids {
		m, err := bpfsys.OpenMap(id)
		must(t, err)
		info, err := bpfsys.GetMapInfo(m)
		must(t, errors.Join(err, m.Close()))
		if strings.HasPrefix(info.Name, "gate_") {
			maps[info.Name] = id
		}
	}
	return maps
}
