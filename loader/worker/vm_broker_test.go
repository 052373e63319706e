//go:build vmguest

package worker

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// brokerFixture names the fixture that a process loads which is to be killed.
const brokerFixture = "TBPF_WORKER_TEST_BROKER"

// broker loads a fixture by a worker that does not answer, and says so.
func broker(path string) error {
	s, err := openSealed(path)
	if err != nil {
		return err
	}
	return kernelload.OnThread(func() error {
		j := job{behaviour: "hangs in a load", spec: s.spec()}
		w, err := j.begin()
		if err != nil {
			return err
		}
		return j.with(w, func(w *Worker) error {
			fmt.Println(w.pid)
			_, err := s.try(w)
			return err
		})
	})
}

// A worker does not outlive its broker, nor does what it made.
func TestWorkersEndWithTheirBroker(t *testing.T) {
	needTokens(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), brokerFixture+"="+sealedPath("fileguard"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	before := leftovers(t) // with the descriptors of pipe and poller
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var pid int
	if _, scanErr := fmt.Sscan(line, &pid); err != nil || scanErr != nil {
		t.Fatalf("%q, %v", line, errors.Join(err, scanErr, cmd.Wait()))
	}
	// Until the worker has loaded and attached all of it.
	attached := func() bool {
		for _, one := range leftovers(t) {
			if strings.HasPrefix(one, "link_get_next_id") {
				return true
			}
		}
		return false
	}
	for deadline := time.Now().Add(30 * time.Second); !attached(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the worker loaded nothing")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	expectGone(t, before)
	for deadline := time.Now().Add(10 * time.Second); unix.Kill(pid, 0) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			// Whose child it became may not reap it: then it is a zombie.
			status, err := readStatus(fmt.Sprintf("/proc/%d/status", pid))
			if err == nil && strings.HasPrefix(status["State"], "Z") {
				return
			}
			t.Fatalf("worker %d is still there: %v, %v", pid, status["State"], err)
		}
	}
}

// At whatever point descriptors run out, in the broker or in the worker, nothing
// is left; and with enough of them it works.
func TestWorkersRunOutOfDescriptors(t *testing.T) {
	needTokens(t)
	s := fixture(t, "multi")
	loaded, refused := 0, 0
	for limit := uint64(6); limit < 40 && loaded < 2; limit++ {
		err := job{behaviour: obey, spec: s.spec(), limit: limit}.run(t, func(w *Worker) error {
			result, err := s.try(w)
			if err != nil {
				return err
			}
			return result.Close()
		})
		if err == nil {
			loaded++
		} else {
			refused++
			t.Logf("with %d: %v", limit, err)
		}
	}
	if loaded < 2 || refused < 5 {
		t.Errorf("loaded %d times, refused %d times", loaded, refused)
	}
}

// Without /proc there is no worker, and the error says so.
func TestWithoutProc(t *testing.T) {
	err := kernelload.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
			return err
		}
		w, err := Start(small())
		if err == nil {
			return w.Close()
		}
		return err
	})
	if !errors.Is(err, ErrNoProc) {
		t.Errorf("%v", err)
	}
}
