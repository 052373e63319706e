//go:build vmguest

package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Every thread, also one born later, is as small as the first; seen from
// outside, while it waits for work.
func TestEveryThreadOfAWorkerIsSmall(t *testing.T) {
	// What a careless broker would hand down: a group, and an open descriptor.
	if err := unix.Setgroups([]int{4}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setgroups(nil)
	open, err := unix.FcntlInt(1, unix.F_DUPFD, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(open)
	err = job{behaviour: "probed", spec: small()}.run(t, func(w *Worker) error {
		before, err := checkThreads(w, filtered)
		if err != nil {
			return err
		}
		if got, err := w.probe("threads 6"); err != nil || got != "ok" {
			return fmt.Errorf("%q, %w", got, err)
		}
		after, err := checkThreads(w, filtered)
		if err == nil && after < before+5 {
			err = fmt.Errorf("%d threads before, %d after", before, after)
		}
		return errors.Join(err, checkProcess(w))
	})
	if err != nil {
		t.Error(err)
	}
}

// The filter comes last. All else is given up before the program is executed:
// no thread of it ever had more, the runtime's first one included.
func TestEveryThreadOfAWorkerIsSmallFromTheBeginning(t *testing.T) {
	err := job{behaviour: "prepares nothing", spec: small()}.run(t, func(w *Worker) error {
		n, err := checkThreads(w, unfiltered)
		if err == nil && n < 2 {
			err = fmt.Errorf("%d threads", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// The control: a process that only has a user namespace has all of it.
	err = job{behaviour: "prepares nothing", spec: small(), early: true}.run(t, func(w *Worker) error {
		if err := w.awaitReady(); err != nil {
			return err
		}
		_, err := checkThreads(w, unfiltered)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "want") {
		t.Errorf("a process without a plan: %v", err)
	}
}

// What /proc calls the state of the system call filter (proc(5), Seccomp).
const unfiltered, filtered = "0", "2"

// checkThreads looks at every thread's status and counts them.
func checkThreads(w *Worker, filter string) (int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", w.pid))
	if err != nil {
		return 0, err
	}
	for _, path := range tasks {
		status, err := readStatus(path)
		if err != nil {
			return 0, err
		}
		for field, want := range map[string]string{
			"CapPrm": smallCapabilities, "CapEff": smallCapabilities, "CapBnd": smallCapabilities,
			"CapInh": "0000000000000000", "CapAmb": "0000000000000000",
			"NoNewPrivs": "1", "Seccomp": filter, "Groups": "",
		} {
			if status[field] != want {
				return 0, fmt.Errorf("%s: %s is %q, want %q", path, field, status[field], want)
			}
		}
		for _, field := range []string{"Uid", "Gid"} {
			ids := strings.Fields(status[field])
			id, err := strconv.Atoi(ids[0])
			if err != nil || id < firstUID || slices.ContainsFunc(ids, func(s string) bool { return s != ids[0] }) {
				return 0, fmt.Errorf("%s: %s is %q", path, field, status[field])
			}
		}
	}
	return len(tasks), nil
}

func readStatus(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	status := make(map[string]string)
	for _, line := range strings.Split(string(data), "\n") {
		name, value, _ := strings.Cut(line, ":")
		status[name] = strings.TrimSpace(value)
	}
	return status, nil
}

// checkProcess looks at what threads share.
func checkProcess(w *Worker) error {
	dir := fmt.Sprintf("/proc/%d", w.pid)
	var errs []error
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return err
	}
	for _, entry := range fds {
		target, err := os.Readlink(filepath.Join(dir, "fd", entry.Name()))
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(entry.Name())
		if ok := n <= 2 && strings.HasPrefix(target, "/memfd:tbpf-nothing") || n == socketFD && strings.HasPrefix(target, "socket:") ||
			n > socketFD && strings.Contains(target, "bpf-token"); !ok {
			errs = append(errs, fmt.Errorf("descriptor %d is %s", n, target))
		}
	}
	if len(fds) != 5 {
		errs = append(errs, fmt.Errorf("%d descriptors", len(fds)))
	}
	limits, err := os.ReadFile(dir + "/limits")
	if err != nil {
		return err
	}
	for _, line := range []string{"Max core file size 0 0 bytes", "Max file size 0 0 bytes", "Max processes 64 64 processes"} {
		if !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), line) {
			errs = append(errs, fmt.Errorf("limits lack %q:\n%s", line, limits))
		}
	}
	for _, name := range []string{"user", "mnt", "ipc", "uts"} {
		own, err1 := os.Readlink("/proc/self/ns/" + name)
		theirs, err2 := os.Readlink(dir + "/ns/" + name)
		if err1 != nil || err2 != nil || own == theirs {
			errs = append(errs, fmt.Errorf("it shares the namespace %s %w %w", name, err1, err2))
		}
	}
	environment, err := os.ReadFile(dir + "/environ")
	if err != nil || string(environment) != "GOGC=off\x00GOMAXPROCS=1\x00" {
		errs = append(errs, fmt.Errorf("environment %q, %w", environment, err))
	}
	return errors.Join(errs...)
}
