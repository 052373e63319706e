//go:build linux

package bpfsys

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ErrClosed is returned for a descriptor that its owner has closed.
var ErrClosed = errors.New("file descriptor is closed")

// FD owns one file descriptor. The zero value and nil own none.
type FD struct {
	// n is the descriptor plus one, so that the zero value owns nothing.
	n atomic.Int64
}

// NewFD takes ownership of the descriptor n. The standard descriptors are
// moved away: the kernel reads 0 as "none" in several attributes.
func NewFD(n int) (*FD, error) {
	if n < 0 {
		return nil, unix.EBADF
	}
	if n <= 2 {
		moved, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 3)
		_ = unix.Close(n) // the copy is what is owned from here on
		if err != nil {
			return nil, err
		}
		n = moved
	}
	f := new(FD)
	f.n.Store(int64(n) + 1)
	return f, nil
}

// Int returns the descriptor's number, -1 if there is none. The number is good
// only as long as the owner does not close f.
func (f *FD) Int() int {
	if f == nil {
		return -1
	}
	return int(f.n.Load()) - 1
}

// Close closes the descriptor if f owns one. It may be called any number of
// times, from any goroutine: the descriptor is closed once.
func (f *FD) Close() error {
	if n := f.Release(); n >= 0 {
		return unix.Close(n)
	}
	return nil
}

// Release gives the descriptor up: the caller owns the number that it returns,
// -1 if there is none.
func (f *FD) Release() int {
	if f == nil {
		return -1
	}
	return int(f.n.Swap(0)) - 1
}

// number is the descriptor as attributes have it.
func (f *FD) number() (uint32, error) {
	n := f.Int()
	if n < 0 {
		return 0, ErrClosed
	}
	return uint32(n), nil
}
