//go:build linux

// Package notify tells a service manager how a start went, by the protocol of
// sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names, a path or
// an abstract address (which begins with @).
//
// It guarantees that a message is delivered or an error says that it was not;
// where no socket is named, nobody waits for one. It never blocks.
//
// The trusted loader imports it. It imports nothing of tbpf.
package notify

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Variable is the environment variable that names the socket.
const Variable = "NOTIFY_SOCKET"

// maxStatus bounds what is said of the status, in bytes.
const maxStatus = 1024

// Manager is where messages go. The zero value is nobody.
type Manager struct{ address string }

// To returns the manager at an address as NOTIFY_SOCKET has it.
func To(address string) (Manager, error) {
	switch {
	case address == "":
		return Manager{}, nil
	case address[0] != '/' && address[0] != '@' || len(address) < 2:
		return Manager{}, fmt.Errorf("%s: %.120q is neither an absolute path nor an abstract address", Variable, address)
	case len(address) > 107 || strings.Contains(address, "\x00"): // sun_path, unix(7)
		return Manager{}, fmt.Errorf("%s: %.120q is no address of a socket", Variable, address)
	}
	return Manager{address}, nil
}

// Ready says that everything that should be there is, and what that is.
func (m Manager) Ready(status string) error { return m.send("READY=1\nSTATUS=" + line(status)) }

// Status says how things stand.
func (m Manager) Status(status string) error { return m.send("STATUS=" + line(status)) }

// line makes one line of a text: a line break would begin another assignment.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return s[:min(len(s), maxStatus)]
}

func (m Manager) send(message string) (err error) {
	if m.address == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	// syscall makes an abstract address of a name that begins with @.
	if err := syscall.Sendto(fd, []byte(message), unix.MSG_NOSIGNAL, &syscall.SockaddrUnix{Name: m.address}); err != nil {
		return fmt.Errorf("notify the service manager at %q: %w", m.address, err)
	}
	return nil
}
