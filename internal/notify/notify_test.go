//go:build linux

package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// manager is a socket that a service manager listens on.
func manager(t *testing.T, address string) (receive func() string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		t.Fatal(err)
	}
	return func() string {
		buf := make([]byte, 8192)
		n, err := unix.Read(fd, buf)
		if err != nil {
			return err.Error()
		}
		return string(buf[:n])
	}
}

func TestMessagesArrive(t *testing.T) {
	dir, err := os.MkdirTemp("", "notify") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, address := range []string{filepath.Join(dir, "s"), fmt.Sprintf("@tbpf-notify-test-%d", os.Getpid())} {
		receive := manager(t, address)
		m, err := To(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Ready("5 objects"); err != nil {
			t.Error(err)
		}
		if got := receive(); got != "READY=1\nSTATUS=5 objects" {
			t.Errorf("%s: %q", address, got)
		}
		// A name in a status does not become an assignment.
		if err := m.Status("bad\nREADY=1\x00" + strings.Repeat("x", 2000)); err != nil {
			t.Error(err)
		}
		if got := receive(); !strings.HasPrefix(got, "STATUS=bad READY=1 x") || len(got) != len("STATUS=")+maxStatus {
			t.Errorf("%s: %q", address, got)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	if err := (Manager{}).Ready(""); err != nil {
		t.Errorf("no socket: %v", err)
	}
	if m, err := To(""); err != nil || m != (Manager{}) {
		t.Errorf("%v, %v", m, err)
	}
	m, err := To("/nowhere/notify")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Ready(""); err == nil {
		t.Error("a message that nobody got is no error")
	}
	for _, address := range []string{"relative", "vsock:2:1", "@", "/", "/a\x00b", "/" + strings.Repeat("a", 107)} {
		if _, err := To(address); err == nil {
			t.Errorf("%q is an address", address)
		}
	}
}
