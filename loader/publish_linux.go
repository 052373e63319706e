package loader

import (
	"crypto/rand"
	"encoding/hex"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// partialName makes the name of a directory that is not complete.
func partialName() (string, error) {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	return partialPrefix + hex.EncodeToString(random), nil
}

// openOld opens what is to be replaced: a directory of tbpf's and nothing else.
func (s *stage) openOld() error {
	if !s.replace {
		return errPinExists
	}
	old, err := openDir(s.root, s.name)
	if err == unix.ENOTDIR || err == unix.ELOOP {
		return errPinExists
	}
	if err != nil {
		return err
	}
	s.old = old
	if err := checkPinDir(old); err != nil {
		return err
	}
	if _, err := readMark(old); err != nil {
		return errPinExists
	}
	return nil
}

// publishOver puts the pins in the place of others. Those are moved aside
// first, to where the next stage removes them if this process dies: at every
// moment the old object or the new one is held by pins, and both are attached
// until the old one goes.
func (s *stage) publishOver() error {
	aside, err := partialName()
	if err != nil {
		return err
	}
	if err := relocate(s.root, s.old, s.name, aside); err != nil {
		return err
	}
	old := s.old
	s.old = nil
	defer old.Close()
	if err := s.publish(); err != nil {
		return errors.Join(err, relocate(s.root, old, aside, s.name))
	}
	return removeLeftover(s.root, aside, old)
}

// relocate moves an object's directory within the pin directory. A bpffs of the
// object's own is mounted on the new place before it leaves the old one: moving
// it would not do beneath a mount that is shared with other namespaces.
func relocate(root, object *bpfsys.FD, from, to string) error {
	own, err := ownMount(root, object)
	if err != nil {
		return err
	}
	if !own {
		return unix.Renameat2(root.Int(), from, root.Int(), to, unix.RENAME_NOREPLACE)
	}
	n, err := unix.OpenTree(root.Int(), from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return err
	}
	clone, err := bpfsys.NewFD(n)
	if err != nil {
		return err
	}
	defer clone.Close()
	if err := unix.Mkdirat(root.Int(), to, 0o700); err != nil {
		return err
	}
	if err := unix.MoveMount(clone.Int(), "", root.Int(), to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return errors.Join(err, unix.Unlinkat(root.Int(), to, unix.AT_REMOVEDIR))
	}
	return dropMount(root, from)
}

// ownMount reports whether an object's directory is a bpffs of its own.
func ownMount(root, object *bpfsys.FD) (bool, error) {
	var outer, inner unix.Stat_t
	if err := errors.Join(unix.Fstat(root.Int(), &outer), unix.Fstat(object.Int(), &inner)); err != nil {
		return false, err
	}
	return outer.Dev != inner.Dev, nil
}

// dropMount unmounts a bpffs and removes the directory that it was on.
func dropMount(root *bpfsys.FD, name string) error {
	if err := unmountIn(root, name); err != nil {
		return err
	}
	return unix.Unlinkat(root.Int(), name, unix.AT_REMOVEDIR)
}

// removeLeftover removes a directory that is not, or no longer, an object's. The
// contents of a bpffs of its own go with its last mount: there may be another.
func removeLeftover(root *bpfsys.FD, name string, dir *bpfsys.FD) error {
	own, err := ownMount(root, dir)
	if err != nil {
		return err
	}
	if own {
		return dropMount(root, name)
	}
	return removeTree(root, name, dir)
}
