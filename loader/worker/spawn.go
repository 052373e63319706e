//go:build linux

package worker

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// ErrNoNamespaces says that no worker can be started because the machine makes
// no user namespaces.
var ErrNoNamespaces = errors.New("this machine makes no more user namespaces (sysctl user.max_user_namespaces)")

// ErrNotExecutable says that the worker's user may not execute this program.
var ErrNotExecutable = errors.New("a worker has a user of its own, who may not execute this program")

// ErrNoProc says that this program cannot be started again, nor a worker be
// given a user, where /proc is not mounted.
var ErrNoProc = errors.New("/proc is not mounted")

// firstUID is the first of the user ids that workers have outside of their
// namespaces: above those that distributions, systemd and container managers
// give out. Workers have different ones, so that none can touch another.
const firstUID = 0x7f000000

var lastUID atomic.Uint32

// nextUID differs from that of 255 other workers of this process, and of other
// processes whose ids are not 65536 apart.
func nextUID() int {
	return firstUID + int((lastUID.Add(1)+uint32(os.Getpid())<<8)&0xffffff)
}

// spawn starts this program again, with other arguments, in namespaces of its
// own but for the network, whose interfaces objects attach to. It owns the
// worker's end of the socket.
func (w *Worker) spawn(sock int, p *plan, args []string) error {
	theirs, err := bpfsys.NewFD(sock)
	if err != nil {
		return err
	}
	defer theirs.Close()
	// Not /dev/null, which is not there that early at boot everywhere.
	nothing, err := newMemfd("tbpf-nothing")
	if err != nil {
		return err
	}
	defer nothing.Close()
	n, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return spawnError(err)
	}
	exe, err := bpfsys.NewFD(n)
	if err != nil {
		return err
	}
	defer exe.Close()
	c, err := newChild(p, args)
	if err != nil {
		return err
	}
	c.ours, c.theirs, c.nothing, c.exe = uintptr(w.sock.Int()), uintptr(theirs.Int()), uintptr(nothing.Int()), uintptr(exe.Int())
	w.child = c
	if w.pid, err = c.start(); w.pid == 0 {
		return spawnError(err)
	}
	var pidErr error
	w.pidfd, pidErr = bpfsys.NewFD(int(c.pidfd))
	if err = errors.Join(err, pidErr); err == nil {
		err = mapIDs(w.pid, nextUID())
	}
	if err != nil {
		return errors.Join(spawnError(err), unix.Kill(w.pid, unix.SIGKILL))
	}
	return w.send(w.deadline(), []byte{byte(opMapped)})
}

// workerEnvironment is all of a worker's environment. It keeps the runtime from
// system calls that the filter does not list: reading the limits of control
// groups again and again, and, after a garbage collection, timers and the
// network poller. A worker does not live long enough to need one, nor two
// processors: a thread for each is started sooner than there is work for it.
func workerEnvironment() []string { return []string{"GOGC=off", "GOMAXPROCS=1"} }

// spawnError says why there is no process.
func spawnError(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS), errors.Is(err, unix.EINVAL):
		// user_namespaces(7): the limit, or the depth; a kernel without them.
		return fmt.Errorf("start worker: %w: %w", ErrNoNamespaces, err)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("start worker: %w: %w", ErrNoProc, err)
	}
	return fmt.Errorf("start worker: %w", err)
}
