//go:build vmguest && linux && amd64

package faultinject

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/loader"
)

// trusted is the command that is tried.
var trusted = []string{"/bin/tbpf-loader", "boot"}

// limit is how long one run may take: the object's own time-out is shorter.
const limit = time.Minute

// trial is the machine before and after.
type trial struct {
	before machine
	shape  loader.Report // the object in place
}

// boot runs the trusted loader as it is.
func boot() error {
	out, err := exec.Command(trusted[0], trusted[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%v: %w\n%s", trusted, err, out)
	}
	return nil
}

// point tries one point: what is there after it, and after a second run.
func (x *trial) point(f Fault) (Result, bool, error) {
	out, err := os.CreateTemp("", "output")
	if err != nil {
		return Result{}, false, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	r, err := Run(Command{Args: trusted, Stdout: out, Timeout: limit}, f)
	if err != nil {
		return r, false, err
	}
	explain := func(what string, err error) error {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%v, system call %d, first process %v, status %#x: %s: %w\n%s", f, r.Call, r.First, uint32(r.Status), what, err, said)
	}
	if r.TimedOut {
		return r, false, explain("afterwards", fmt.Errorf("it had not ended after %v", limit))
	}
	whole, err := wholeOrNothing(x.before, &x.shape)
	if err == nil && !whole && r.Status == 0 {
		err = fmt.Errorf("it reported success, and nothing is there")
	}
	if err != nil {
		return r, whole, explain("afterwards", err)
	}
	if err := boot(); err != nil {
		return r, whole, explain("second run", err)
	}
	again, err := wholeOrNothing(x.before, &x.shape)
	if err == nil && !again {
		err = fmt.Errorf("nothing is there")
	}
	if err != nil {
		return r, whole, explain("after the second run", err)
	}
	if err := reset(x.before); err != nil {
		return r, whole, explain("after everything was taken down", err)
	}
	return r, whole, nil
}

// TestLoaderAtEveryPoint lets the trusted loader die, and its system calls fail,
// at every point, or at TBPF_FAULT_POINTS of each kind: afterwards the whole
// object is in place or nothing of it, and a second run ends with it in place.
func TestLoaderAtEveryPoint(t *testing.T) {
	points, err := strconv.Atoi(cmp.Or(os.Getenv("TBPF_FAULT_POINTS"), "0"))
	if err != nil || points < 0 {
		t.Fatalf("TBPF_FAULT_POINTS: %v", err)
	}
	x := &trial{}
	if x.before, err = readMachine(); err != nil {
		t.Fatal(err)
	}
	x.prepare(t)
	clean, err := Run(Command{Args: trusted, Timeout: limit}, Fault{})
	if err != nil || clean.Status != 0 {
		t.Fatalf("without a fault: %+v, %v", clean, err)
	}
	if err := reset(x.before); err != nil {
		t.Fatal(err)
	}
	t.Logf("the trusted loader makes %d system calls that do something", clean.Calls)
	every := 1
	if points > 0 {
		every = max(clean.Calls/points, 1)
	}

	total := 0
	for n, errno := range []unix.Errno{0, unix.ENOMEM, unix.EMFILE, unix.EPERM, unix.ENOSPC} {
		tried, wholes, begin := 0, 0, time.Now()
		// Each kind begins elsewhere, so that a short form meets more calls.
		for i := 1 + n*every/5; ; i += every {
			r, whole, err := x.point(Fault{Index: i, Errno: errno})
			if err != nil {
				t.Error(err)
				// The next point must not suffer from this one.
				if err := reset(x.before); err != nil {
					t.Fatalf("the machine cannot be brought back: %v", err)
				}
			}
			if !r.Hit {
				break
			}
			if r.Immune {
				continue
			}
			tried++
			if whole {
				wholes++
			}
		}
		name := "SIGKILL"
		if errno != 0 {
			name = unix.ErrnoName(errno)
		}
		t.Logf("%s: %d points tried, the whole object in place after %d, nothing of it after %d (%v)",
			name, tried, wholes, tried-wholes, time.Since(begin).Round(time.Second))
		total += tried
	}
	t.Logf("%d points tried", total)
}

// prepare loads once, to know what the whole object is.
func (x *trial) prepare(t *testing.T) {
	t.Helper()
	if err := boot(); err != nil {
		t.Fatal(err)
	}
	var found bool
	var err error
	if x.shape, found, err = loader.StatusOf(pins, object); err != nil || !found {
		t.Fatalf("the boot set's object is not there: %v", err)
	}
	// The pin directory's own mount, if it has one, and the directory stay.
	if err := reset(x.before); err != nil {
		t.Fatal(err)
	}
}
