//go:build linux

package kernelload

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// A kernel is taken for one without signatures only if it says so twice: one
// error number that a filter or a fault put there must not lead to an unsigned
// load (A17, A35).
func TestNoSignaturesNeedsTwoAnswers(t *testing.T) {
	taken := errors.New("taken")
	for name, c := range map[string]struct {
		exclusive, plain, signed error
		yes, fails               bool
	}{
		"has them":                      {yes: true},
		"before 6.18":                   {exclusive: unix.EINVAL, signed: unix.E2BIG},
		"EINVAL from elsewhere":         {exclusive: unix.EINVAL, signed: unix.EKEYREJECTED, fails: true},
		"EINVAL, no such keyring":       {exclusive: unix.EINVAL, signed: unix.EINVAL, fails: true},
		"EINVAL, built without":         {exclusive: unix.EINVAL, signed: unix.EOPNOTSUPP, fails: true},
		"EINVAL, and the program loads": {exclusive: unix.EINVAL, signed: taken, fails: true},
		"EINVAL to every map":           {exclusive: unix.EINVAL, plain: unix.EINVAL, fails: true},
		"EPERM":                         {exclusive: unix.EPERM, signed: unix.E2BIG, fails: true},
		"E2BIG to the map":              {exclusive: unix.E2BIG, signed: unix.E2BIG, fails: true},
	} {
		yes, err := decide(func(exclusive bool) (*bpfsys.FD, error) {
			answer := c.plain
			if exclusive {
				answer = c.exclusive
			}
			if answer != nil {
				return nil, fmt.Errorf("create map: %w", answer)
			}
			return someFD(t), nil
		}, func(*bpfsys.FD) error { return c.signed })
		if yes != c.yes || (err != nil) != c.fails {
			t.Errorf("%s: %t, %v", name, yes, err)
		}
		var failed *Error
		if c.fails && !errors.As(err, &failed) {
			t.Errorf("%s: not an *Error: %v", name, err)
		}
	}
}

// someFD is a descriptor of something.
func someFD(t *testing.T) *bpfsys.FD {
	t.Helper()
	n, err := unix.Dup(int(os.Stdin.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := bpfsys.NewFD(n)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}
