//go:build linux

package worker

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// The descriptors that a worker executes with, besides 0 to 2, an empty file,
// and socketFD.
const (
	tokenFD = 4
	exeFD   = 5 // this program; gone when it is executed
	firstFD = 6 // of those that the child makes for itself
)

// child is a new process from its fork until it executes this program again.
// It has one thread only, and so what it gives up is given up for every thread
// that the Go runtime will start: syscall.AllThreadsSyscall would have to stop
// all of them for each of forty capabilities, most of a worker's time.
//
// Locks of the runtime may have been held by threads that the child does not
// have. So it allocates nothing, grows no stack, has its signals blocked, and
// makes system calls with what is in this structure, which was filled before.
type child struct {
	flags   uintptr
	parent  uintptr // process id of the broker
	ours    uintptr // the broker's end of the socket
	theirs  uintptr
	nothing uintptr // an empty file
	exe     uintptr
	ring    uintptr // hold this keyring, and that is all; 0: none
	confine bool    // make a token, and keep caps alone
	caps    capabilities

	argv, env []*byte
	mask      unix.Sigset_t // of the thread that forks
	pidfd     int32

	// What is sent to the broker: what failed, and the file system.
	failed struct {
		_     [2]byte // so that errno is aligned
		op    operation
		step  step
		errno uint32
	}
	message unix.Msghdr
	vector  unix.Iovec
	rights  []byte
	fs      *int32 // in rights
	mount   [1]byte
	answer  [2]byte

	dot, slash [2]byte // strings, as C has them
	bpf        [4]byte
	empty      [1]byte
	token      tokenAttr
	header     unix.CapUserHeader
	data       [2]unix.CapUserData

	ownStack
}

// tokenAttr is what BPF_TOKEN_CREATE reads: flags, descriptor of the bpffs.
type tokenAttr struct{ flags, bpffs uint32 }

// plan is what becomes of a child: a worker with these capabilities, or, if there
// is a keyring, one that holds it and executes nothing. Without a plan it has a
// user namespace and all capabilities in it.
type plan struct {
	caps capabilities
	ring int32
}

// newChild fills everything that the child uses.
func newChild(p *plan, args []string) (*child, error) {
	c := &child{
		flags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_PIDFD | uintptr(unix.SIGCHLD),
		parent: uintptr(os.Getpid()), rights: unix.UnixRights(0), mount: [1]byte{byte(opMount)},
		header: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, pidfd: -1,
		dot: [2]byte{'.'}, slash: [2]byte{'/'}, bpf: [4]byte{'b', 'p', 'f'},
	}
	c.failed.op = opFailed
	c.fs = (*int32)(unsafe.Pointer(&c.rights[unix.CmsgLen(0)]))
	c.vector.Base = &c.mount[0]
	c.vector.SetLen(len(c.mount))
	c.message.Iov, c.message.Control = &c.vector, &c.rights[0]
	c.message.SetIovlen(1)
	c.message.SetControllen(len(c.rights))
	switch {
	case p == nil:
	case p.ring != 0:
		c.ring = uintptr(p.ring)
	default:
		c.confine, c.caps = true, p.caps
		low, high := uint32(p.caps), uint32(p.caps>>32)
		c.data = [2]unix.CapUserData{{Effective: low, Permitted: low}, {Effective: high, Permitted: high}}
	}
	if c.ring != 0 {
		return c, nil
	}
	var err error
	if c.argv, err = syscall.SlicePtrFromStrings(args); err != nil {
		return nil, err
	}
	c.env, err = syscall.SlicePtrFromStrings(workerEnvironment())
	return c, err
}

// start forks. The child waits until it is told that it has its user id.
func (c *child) start() (pid int, err error) {
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	// A handler of the Go runtime's has no business in the child.
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &c.mask); err != nil {
		return 0, fmt.Errorf("block signals: %w", err)
	}
	n, errno := c.fork()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &c.mask, nil); err != nil && errno == 0 {
		return int(n), fmt.Errorf("unblock signals: %w", err)
	}
	runtime.KeepAlive(c)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// mapIDs gives the process its one user and group id.
func mapIDs(pid, id int) error {
	line := []byte("0 " + strconv.Itoa(id) + " 1\n")
	for _, file := range []string{"uid_map", "gid_map"} {
		n, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/"+file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		fd, err := bpfsys.NewFD(n)
		if err != nil {
			return err
		}
		defer fd.Close()
		if _, err := unix.Write(fd.Int(), line); err != nil {
			return err
		}
	}
	return nil
}
