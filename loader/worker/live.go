//go:build linux

package worker

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// What follows runs in the child alone, from its fork to its exec, by the rules
// that stand at its type.

// live is all that the child does.
//
//go:nosplit
//go:norace
func (c *child) live() {
	c.failed.step = stepStart
	c.dieWithParent()
	c.call(unix.SYS_CLOSE, c.ours, 0, 0, 0, 0) // else the end of the broker would not be seen
	if c.call(unix.SYS_READ, c.theirs, c.at(&c.answer[0]), 2, 0, 0) != 1 || c.answer[0] != byte(opMapped) {
		c.fail(uint32(unix.EPROTO))
	}
	// Root in there, and in none of the broker's groups any more.
	c.call(unix.SYS_SETGROUPS, 0, 0, 0, 0, 0)
	c.call(unix.SYS_SETGID, 0, 0, 0, 0, 0)
	c.call(unix.SYS_SETUID, 0, 0, 0, 0, 0)
	c.dieWithParent() // with other ids that was forgotten (kernel/cred.c, commit_creds)
	c.call(unix.SYS_SETSID, 0, 0, 0, 0, 0)
	c.call(unix.SYS_CHDIR, c.at(&c.slash[0]), 0, 0, 0, 0)
	c.takeFiles()
	if c.ring != 0 {
		c.hold()
	}
	if c.confine {
		c.makeToken()
		c.dropCapabilities()
	}
	c.failed.step = stepExecute
	c.call(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.mask)), 0, sizeofMask, 0)
	c.call(unix.SYS_EXECVEAT, exeFD, c.at(&c.empty[0]), uintptr(unsafe.Pointer(&c.argv[0])), uintptr(unsafe.Pointer(&c.env[0])), unix.AT_EMPTY_PATH)
}

// Sizes in bytes: of the kernel's signal sets, and of the message that sendFailure sends.
const (
	sizeofMask   = 8
	sizeofFailed = 6
)

//go:nosplit
//go:norace
func (c *child) dieWithParent() {
	c.call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	if c.call(unix.SYS_GETPPID, 0, 0, 0, 0, 0) != c.parent {
		c.fail(uint32(unix.ESRCH)) // it was too late
	}
}

// takeFiles has exactly the descriptors that it needs, by their numbers.
//
//go:nosplit
//go:norace
func (c *child) takeFiles() {
	// Above those numbers first, so that none of them is lost to another.
	nothing := c.call(unix.SYS_FCNTL, c.nothing, unix.F_DUPFD_CLOEXEC, firstFD, 0, 0)
	exe := c.call(unix.SYS_FCNTL, c.exe, unix.F_DUPFD_CLOEXEC, firstFD, 0, 0)
	c.theirs = c.call(unix.SYS_FCNTL, c.theirs, unix.F_DUPFD_CLOEXEC, firstFD, 0, 0)
	c.call(unix.SYS_DUP3, nothing, 0, 0, 0, 0)
	c.call(unix.SYS_DUP3, nothing, 1, 0, 0, 0)
	c.call(unix.SYS_DUP3, nothing, 2, 0, 0, 0)
	c.call(unix.SYS_DUP3, exe, exeFD, unix.O_CLOEXEC, 0, 0)
	c.call(unix.SYS_DUP3, c.theirs, socketFD, 0, 0, 0)
	c.theirs = socketFD
	c.call(unix.SYS_CLOSE_RANGE, tokenFD, tokenFD, 0, 0, 0)
	c.call(unix.SYS_CLOSE_RANGE, firstFD, lastFD, 0, 0, 0)
}

// lastFD is beyond every descriptor.
const lastFD = 1<<31 - 1

// hold links the keyring into the user keyring of this namespace, hands over a
// file system that belongs to the namespace, and ends.
//
//go:nosplit
//go:norace
func (c *child) hold() {
	c.failed.step = stepHold
	c.call(unix.SYS_KEYCTL, unix.KEYCTL_LINK, c.ring, userKeyring, 0, 0)
	c.openBPFFS()
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
}

// userKeyring is KEY_SPEC_USER_KEYRING, -4, as a system call takes it.
const userKeyring = ^uintptr(3)

// openBPFFS makes the context of a file system and sends it to the broker.
//
//go:nosplit
//go:norace
func (c *child) openBPFFS() uintptr {
	c.failed.step = stepOpen
	fs := c.call(unix.SYS_FSOPEN, c.at(&c.bpf[0]), unix.FSOPEN_CLOEXEC, 0, 0, 0)
	*c.fs = int32(fs)
	c.call(unix.SYS_SENDMSG, socketFD, uintptr(unsafe.Pointer(&c.message)), unix.MSG_NOSIGNAL, 0, 0)
	return fs
}

// makeToken makes a token from a bpffs that is mounted nowhere, and whose root
// directory, which is empty, becomes this process's. The file system context is
// made here, so that it belongs to this namespace, and is configured by the
// broker, which may.
//
//go:nosplit
//go:norace
func (c *child) makeToken() {
	fs := c.openBPFFS()
	if c.call(unix.SYS_READ, socketFD, c.at(&c.answer[0]), 2, 0, 0) != 1 || c.answer[0] != byte(opMount) {
		c.fail(uint32(unix.EPROTO))
	}
	c.failed.step = stepToken
	mount := c.call(unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC, 0, 0)
	root := c.call(unix.SYS_OPENAT, mount, c.at(&c.dot[0]), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0)
	c.token.bpffs = uint32(root)
	token := c.call(unix.SYS_BPF, uintptr(bpfabi.CommandTokenCreate), uintptr(unsafe.Pointer(&c.token)), unsafe.Sizeof(c.token), 0, 0)
	c.call(unix.SYS_FCHDIR, root, 0, 0, 0, 0)
	c.call(unix.SYS_CHROOT, c.at(&c.dot[0]), 0, 0, 0, 0)
	if fs != tokenFD {
		c.fail(uint32(unix.EBADF))
	}
	c.call(unix.SYS_DUP3, token, tokenFD, 0, 0, 0) // in place of fs
}

// dropCapabilities leaves this set and no way to get another one. What is
// executed as root gets what the bounding set has.
//
//go:nosplit
//go:norace
func (c *child) dropCapabilities() {
	c.failed.step = stepCapabilities
	for n := uintptr(0); n < 64; n++ {
		if c.caps>>n&1 == 1 {
			continue
		}
		_, _, errno := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n, 0, 0, 0, 0)
		if errno == unix.EINVAL && n > unix.CAP_BPF {
			break // past the last one that this kernel has
		}
		if errno != 0 {
			c.fail(uint32(errno))
		}
	}
	c.call(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	c.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	c.call(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&c.header)), uintptr(unsafe.Pointer(&c.data[0])), 0, 0, 0)
}

// call makes a system call. If it fails, that was all.
//
//go:nosplit
//go:norace
func (c *child) call(number, a1, a2, a3, a4, a5 uintptr) uintptr {
	for {
		r, _, errno := syscall.RawSyscall6(number, a1, a2, a3, a4, a5, 0)
		if errno == 0 {
			return r
		}
		if errno != unix.EINTR {
			c.fail(uint32(errno))
		}
	}
}

// at is an address as system calls take it: of what the heap keeps in its place.
//
//go:nosplit
//go:norace
func (c *child) at(p *byte) uintptr { return uintptr(unsafe.Pointer(p)) }

// fail tells the broker what did not work, and ends.
//
//go:nosplit
//go:norace
func (c *child) fail(errno uint32) {
	c.failed.errno = errno
	syscall.RawSyscall6(unix.SYS_WRITE, c.theirs, uintptr(unsafe.Pointer(&c.failed.op)), sizeofFailed, 0, 0, 0)
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 1, 0, 0, 0, 0, 0)
	}
}
