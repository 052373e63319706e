//go:build linux

package worker

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// Hold makes a keyring outlive this process, out of everybody's reach. It
// returns a bpffs that is mounted nowhere: as long as that file system exists,
// and so when it is mounted somewhere, the keyring does.
//
// The keyring is linked into the user keyring of a new user namespace, whose
// only process, which executes nothing, has ended by then: nobody possesses it, and so nobody can
// unlink, clear or invalidate it. What is left of the namespace is that the file
// system belongs to it, and a file system leads nobody into a namespace.
//
// The calling thread must possess the keyring, in its session keyring, with the
// right to link it.
func Hold(serial int32) (fs *bpfsys.FD, err error) {
	w, err := begin(0, &plan{ring: serial})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := w.Close(); closeErr != nil {
			fs, err = nil, errors.Join(err, closeErr, fs.Close())
		}
	}()
	b, fds, err := w.receive(w.deadline())
	if err != nil {
		return nil, err
	}
	defer closeAll(fds)
	if err := setupFailure(b); err != nil {
		return nil, err
	}
	if len(b) != 1 || b[0] != byte(opMount) || len(fds) != 1 {
		return nil, errProtocol
	}
	if err := unix.FsconfigSetString(fds[0].Int(), "mode", "0700"); err != nil {
		return nil, fmt.Errorf("fsconfig mode: %w", err)
	}
	if err := unix.FsconfigCreate(fds[0].Int()); err != nil {
		return nil, fmt.Errorf("fsconfig create: %w", err)
	}
	n, err := unix.Fsmount(fds[0].Int(), unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("fsmount: %w", err)
	}
	return bpfsys.NewFD(n)
}
