package loader

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// Unload takes an object down that is pinned: by its name beneath dir, or by
// the path of its own directory if what is a path (it has a slash). What is not
// a directory of tbpf's is left alone.
func Unload(dir, what string) error {
	var name string
	var err error
	if strings.Contains(what, "/") {
		path := filepath.Clean(what)
		dir, name = filepath.Dir(path), filepath.Base(path)
	} else {
		name, err = pinName(what)
	}
	if err == nil && !plainName(name) {
		err = errors.New("it names no object")
	}
	if err != nil {
		return failure("unload", what, "pin-name", err)
	}
	path := filepath.Join(dir, name)
	if err := unload(dir, name); err != nil {
		e := failure("unload", path, "unload-failed", err)
		switch {
		case errors.Is(err, unix.ENOENT):
			e.Reason, e.text, e.Hint = "not-loaded", "no object is loaded there", "tbpf status tells what is"
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			e.verdict, e.Reason = Permission, "not-permitted"
		}
		return e
	}
	return nil
}

func unload(dir, name string) error {
	root, _, err := openPinDir(dir, false)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := lock(root, lockTime); err != nil {
		return err
	}
	object, err := openDir(root, name)
	if err != nil {
		return err
	}
	defer object.Close()
	if err := checkPinDir(object); err != nil {
		return err
	}
	if _, err := readMark(object); err != nil {
		return err
	}
	if err := emptyTree(object); err != nil {
		return err
	}
	var outer, inner unix.Stat_t
	if err := errors.Join(unix.Fstat(root.Int(), &outer), unix.Fstat(object.Int(), &inner)); err != nil {
		return err
	}
	if outer.Dev != inner.Dev { // a bpffs of the object's own: its mark goes with it
		err = unmountIn(root, name)
	} else {
		err = removeMark(object)
	}
	if err != nil {
		return err
	}
	return unix.Unlinkat(root.Int(), name, unix.AT_REMOVEDIR)
}

// unmountIn unmounts what is on a directory beneath another, whatever the path
// to that one means by now. umount2 takes no descriptor, so the working
// directory of a thread of its own stands in for one.
func unmountIn(root *bpfsys.FD, name string) error {
	return kernelload.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return err
		}
		if err := unix.Fchdir(root.Int()); err != nil {
			return err
		}
		return unix.Unmount(name, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	})
}
