//go:build linux

package bpfsys

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// newPipe returns the descriptor of a pipe's reading end, owned by nobody.
func newPipe(t *testing.T) int {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(p[1]) })
	return p[0]
}

func TestFDIsClosedOnce(t *testing.T) {
	n := newPipe(t)
	f, err := NewFD(n)
	if err != nil || f.Int() != n {
		t.Fatalf("got %d, %v", f.Int(), err)
	}
	var failures atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if f.Close() != nil {
				failures.Add(1)
			}
		})
	}
	wg.Wait()
	if failures.Load() != 0 || f.Int() != -1 {
		t.Errorf("%d closes failed, number %d", failures.Load(), f.Int())
	}
	if _, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("descriptor is still open: %v", err)
	}
	if _, err := f.number(); !errors.Is(err, ErrClosed) {
		t.Errorf("number of a closed descriptor: %v", err)
	}
}

func TestFDOwnsNothingAtZero(t *testing.T) {
	var zero FD
	var none *FD
	for _, f := range []*FD{&zero, none} {
		if f.Int() != -1 || f.Release() != -1 || f.Close() != nil {
			t.Errorf("%v owns %d", f, f.Int())
		}
	}
	if _, err := NewFD(-1); err == nil {
		t.Error("a negative descriptor was taken")
	}
}

// The kernel reads 0 as "none" in several attributes, so no descriptor of ours
// may be 0.
func TestFDLeavesTheStandardDescriptors(t *testing.T) {
	saved, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Skip("no standard input")
	}
	defer func() {
		_ = unix.Dup3(saved, 0, 0)
		_ = unix.Close(saved)
	}()
	n := newPipe(t)
	if err := unix.Dup3(n, 0, 0); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(n)
	f, err := NewFD(0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Int() <= 2 {
		t.Errorf("descriptor %d", f.Int())
	}
	if flags, err := unix.FcntlInt(uintptr(f.Int()), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %x, %v: not close-on-exec", flags, err)
	}
}

func TestReleaseGivesTheDescriptorUp(t *testing.T) {
	n := newPipe(t)
	f, err := NewFD(n)
	if err != nil {
		t.Fatal(err)
	}
	if f.Release() != n || f.Close() != nil {
		t.Error("released descriptor is not the one that was given")
	}
	if err := unix.Close(n); err != nil {
		t.Errorf("Close of f closed a descriptor that it had released: %v", err)
	}
}
