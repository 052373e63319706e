//go:build vmguest

package boottest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/record"
)

// Places of the machine.
const (
	bootDir    = "/etc/tbpf/boot.d"
	keyringDir = "/etc/tbpf/keyring.d"
	objectDir  = "/usr/lib/tbpf"
	policyPath = "/etc/tbpf/policy.toml"
	floorPath  = "/var/lib/tbpf/floor"
	pinDir     = "/sys/fs/bpf/tbpf"
)

// tokens and signatures are what the kernel has.
func tokens() bool     { return os.Getenv("TBPF_KERNEL") != "6.1" }
func signatures() bool { return tokens() && os.Getenv("TBPF_KERNEL") != "6.12" }

// machine makes a machine of this one that trusts the suite's key and has
// nothing loaded. Where the kernel checks no signatures its policy allows that.
func machine(t *testing.T) {
	t.Helper()
	clean := func() {
		t.Helper()
		must(t, takeDown())
		for _, dir := range []string{"/etc/tbpf", objectDir, "/var/lib/tbpf", record.Path} {
			must(t, os.RemoveAll(dir))
		}
	}
	clean()
	t.Cleanup(clean)
	policy(t, "", "")
	put(t, keyringDir+"/suite.crt", read(t, "keys/suite.crt"))
}

// policy writes the machine's policy: more lines of it, and of its table for
// boots. Where the kernel checks no signatures that is allowed. Virtual machines
// on a busy host are slow.
func policy(t *testing.T, more, boot string) {
	t.Helper()
	if !signatures() {
		more += "kernel-verify = \"if-available\"\n"
	}
	put(t, policyPath, []byte(more+"[boot]\ntimeout = 600\n"+boot))
}

// takeDown removes every pin of the loader's.
func takeDown() error {
	names, err := os.ReadDir(pinDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var errs []error
	for _, name := range names {
		path := filepath.Join(pinDir, name.Name())
		for unix.Unmount(path, unix.MNT_DETACH) == nil {
		}
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(append(errs, err)...)
}

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

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, data, 0o644))
}

// object installs a sealed object of the suite, "fileguard-2", as name, and has
// the boot set load it; more are lines of its file.
func object(t *testing.T, number int, sealed, name string, more ...string) (file string) {
	t.Helper()
	file = filepath.Join(objectDir, name+".bpf.tbpf")
	put(t, file, read(t, "boot/"+sealed+".tbpf"))
	text := fmt.Sprintf("file = %q\nname = %q\ntimeout = 300\n%s\n", file, name, strings.Join(more, "\n"))
	put(t, fmt.Sprintf("%s/%02d-%s.toml", bootDir, number, name), []byte(text))
	return file
}

// damage changes one byte in the middle of a file.
func damage(t *testing.T, file string) {
	t.Helper()
	data := read(t, file)
	data[len(data)/2] ^= 1
	must(t, os.WriteFile(file, data, 0o644))
}

// result is how a run of the loader ended.
type result struct {
	code           int
	stdout, stderr string
	notified       []string // messages to the service manager
	memory         int      // most that it was seen to have, in KiB
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s\nnotified: %q", r.code, r.stdout, r.stderr, r.notified)
}

// ready reports whether the service manager was told that all is up.
func (r result) ready() bool {
	for _, message := range r.notified {
		if strings.HasPrefix(message, "READY=1\n") {
			return true
		}
	}
	return false
}

// boot runs "tbpf-loader boot" as a service manager does.
func boot(t *testing.T) result { t.Helper(); return loader(t, "boot") }

func loader(t *testing.T, args ...string) result {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(t, err)
	defer unix.Close(fd)
	const address = "@tbpf-boottest"
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: address}))
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("/bin/tbpf-loader", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
	began := time.Now()
	must(t, cmd.Start())
	peak, ended := make(chan int), make(chan struct{})
	go watchMemory(cmd.Process.Pid, ended, peak)
	err = cmd.Wait()
	close(ended)
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Minute {
		t.Errorf("it took %v", took)
	}
	r := result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), memory: <-peak}
	for buf := make([]byte, 4096); ; {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return r
		}
		r.notified = append(r.notified, string(buf[:n]))
	}
}

// watchMemory looks at a process's largest resident size until it ends. What
// wait4 tells is no good: that begins with its parent's.
func watchMemory(pid int, ended <-chan struct{}, peak chan<- int) {
	most := 0
	for {
		select {
		case <-ended:
			peak <- most
			return
		case <-time.After(2 * time.Millisecond):
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone when it ended
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		if fields := strings.Fields(rest); len(fields) > 0 {
			if n, err := strconv.Atoi(fields[0]); err == nil {
				most = max(most, n)
			}
		}
	}
}

// want fails the test unless the run ended as it should: with this exit code,
// and this in its output.
func (r result) want(t *testing.T, code int, ready bool, texts ...string) {
	t.Helper()
	if r.code != code || r.ready() != ready {
		t.Fatalf("want exit %d and ready %v: %v", code, ready, r)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Fatalf("%q is not said: %v", text, r)
		}
	}
}

// recordOf is what the loader recorded of an object, nil if nothing.
func recordOf(t *testing.T, name string) *record.Object {
	t.Helper()
	store, err := record.Open()
	must(t, err)
	defer store.Close()
	o, err := store.Read(name)
	must(t, err)
	return o
}
