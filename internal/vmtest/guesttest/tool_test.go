//go:build vmguest

package guesttest

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// xdpFilter runs the command xdp-filter of Debian's xdp-tools, as it is.
func xdpFilter(t *testing.T, args ...string) string {
	t.Helper()
	const dir = "/opt/xdp-filter"
	out, err := exec.Command(dir+"/ld-linux", append([]string{"--library-path", dir, dir + "/xdp-filter"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("xdp-filter %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A tool that somebody else wrote works on the maps of its program, which tbpf
// loaded and the kernel verified: it finds them where it would have pinned them.
func TestAToolWorksOnWhatTbpfLoaded(t *testing.T) {
	if _, err := os.Stat("/opt/xdp-filter/xdp-filter"); errors.Is(err, os.ErrNotExist) {
		t.Skip("xdp-filter is not there") // the host fails in CI
	}
	result, err := load(sealedPath("xdp-filter"), "--kernel-verify", "if-available", "--pin", pinDir, "--attach", "xdpfilt_alw_all=lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := result.check(kernel(t)); err != nil {
		t.Fatal(err)
	}
	const itsPins = "/sys/fs/bpf/xdp-filter"
	if err := os.Symlink("tbpf/xdp-filter/maps", itsPins); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(itsPins)

	receiver, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	_, port, err := net.SplitHostPort(receiver.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	arrives := func() bool {
		t.Helper()
		sender, err := net.Dial("udp4", receiver.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer sender.Close()
		if _, err := sender.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := receiver.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _, err = receiver.ReadFrom(make([]byte, 16))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !arrives() {
		t.Error("a packet is dropped before a port is filtered")
	}
	if text := xdpFilter(t, "port", port, "--proto", "udp", "--status"); !strings.Contains(text, port) {
		t.Errorf("xdp-filter does not list port %s:\n%s", port, text)
	}
	if arrives() {
		t.Error("a packet arrives at a port that xdp-filter filters")
	}
	xdpFilter(t, "port", port, "--proto", "udp", "--remove")
	if !arrives() {
		t.Error("a packet is dropped after the port was removed")
	}
	if a, err := tbpf("unload", "--pin", pinDir, result.Name); err != nil || a.code != 0 {
		t.Fatalf("unload: %v %v", err, a)
	}
	expectGone(t, result)
}
