//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/vmtest/wire"
)

// mountAll mounts what a Debian system has mounted when it is up. A file
// system that the kernel does not know is an error: every kernel of the tests
// has all of these.
func mountAll() error {
	mounts := []struct{ kind, dir, options string }{
		{"devtmpfs", "/dev", ""},
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"tmpfs", "/run", "mode=755"},
		{"tmpfs", "/tmp", "mode=1777"},
		{"bpf", "/sys/fs/bpf", "mode=700"},
		{"cgroup2", "/sys/fs/cgroup", ""},
		{"securityfs", "/sys/kernel/security", ""},
		{"tracefs", "/sys/kernel/tracing", ""},
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, m.options); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s at %s: %w", m.kind, m.dir, err)
		}
	}
	// The kernel's own root of an initramfs is writable by everybody; every
	// initramfs that boots a system says otherwise.
	if err := os.Chmod("/", 0o755); err != nil {
		return err
	}
	return makeWorkDir()
}

func makeWorkDir() error { return os.MkdirAll(wire.WorkDir, 0o755) }

// setEnvironment is the environment of all steps.
func setEnvironment() {
	os.Clearenv()
	for name, value := range map[string]string{"PATH": "/bin:" + wire.WorkDir, "HOME": "/tmp", "TMPDIR": "/tmp"} {
		_ = os.Setenv(name, value)
	}
}

// moduleInitCompressed is MODULE_INIT_COMPRESSED_FILE of
// include/uapi/linux/module.h: the kernel unpacks the module itself.
const moduleInitCompressed = 4

func loadModule(name string) error {
	file, err := os.Open(filepath.Join(wire.ModuleDir, name))
	if err != nil {
		return err
	}
	defer file.Close()
	flags := 0
	if !strings.HasSuffix(name, ".ko") {
		flags = moduleInitCompressed
	}
	if err := unix.FinitModule(int(file.Fd()), "", flags); err != nil && err != unix.EEXIST {
		return fmt.Errorf("load module %s: %w", name, err)
	}
	return nil
}

// linkUp sets a network interface up.
func linkUp(name string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}
