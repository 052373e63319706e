package loader

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// lockTime is how long another process may hold the pin directory.
const lockTime = 30 * time.Second

// openPinDir opens a pin directory, making it if that is wanted. It must be in
// a bpffs, belong to root or to us, and be writable by nobody else.
func openPinDir(dir string, make bool) (fd *bpfsys.FD, created bool, err error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	n, err := unix.Open(dir, flags, 0)
	if err == unix.ENOENT && make {
		switch err = unix.Mkdir(dir, 0o711); err { // who may open a map has to get to it
		case nil:
			created = true
		case unix.EEXIST: // by another process, just now
		default:
			return nil, false, err
		}
		n, err = unix.Open(dir, flags, 0)
	}
	if err != nil {
		return nil, created, err
	}
	if fd, err = bpfsys.NewFD(n); err != nil {
		return nil, created, err
	}
	if err := checkPinDir(fd); err != nil {
		err = errors.Join(err, fd.Close())
		if created {
			err = errors.Join(err, os.Remove(dir))
		}
		return nil, false, err
	}
	return fd, created, nil
}

var (
	errNotBPFFS    = errors.New("it is not in a bpffs")
	errOthersWrite = errors.New("others than its owner may write to it")
)

func checkPinDir(fd *bpfsys.FD) error {
	var where unix.Statfs_t
	var st unix.Stat_t
	if err := errors.Join(unix.Fstatfs(fd.Int(), &where), unix.Fstat(fd.Int(), &st)); err != nil {
		return err
	}
	switch {
	case int64(where.Type) != bpffsMagic:
		return errNotBPFFS
	case st.Uid != 0 && int(st.Uid) != unix.Geteuid():
		return fmt.Errorf("it belongs to user %d: %w", st.Uid, unix.EPERM)
	case st.Mode&0o022 != 0:
		// The sticky bit is no help: others could still make directories here
		// under the names of objects.
		return fmt.Errorf("%w (mode %o)", errOthersWrite, st.Mode&0o7777)
	}
	return nil
}

// lock keeps other tbpf processes from the pin directory until it is closed.
func lock(fd *bpfsys.FD, wait time.Duration) error {
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(fd.Int(), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return err
		}
		if time.Now().After(end) {
			return errors.New("another process holds its lock")
		}
	}
}

// emptyLeftover reports whether name is an empty directory of the bpffs itself
// and nothing is mounted on it.
func emptyLeftover(root *bpfsys.FD, name string, st *unix.Stat_t) bool {
	var rootStat unix.Stat_t
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || unix.Fstat(root.Int(), &rootStat) != nil || rootStat.Dev != st.Dev {
		return false
	}
	names, err := listDir(root, name)
	return err == nil && len(names) == 0
}

// listDir lists a directory beneath another.
func listDir(root *bpfsys.FD, name string) ([]string, error) {
	n, err := unix.Openat(root.Int(), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(n), name)
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

// removePartial removes what processes left that died before they published.
// Their locks died with them, and we hold the lock. What others made under such
// a name, where everybody may make directories, is left alone.
func removePartial(root *bpfsys.FD) error {
	names, err := listDir(root, ".")
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, partialPrefix) {
			continue
		}
		dir, err := openDir(root, name)
		if err == unix.ENOTDIR || err == unix.ELOOP {
			continue
		}
		if err != nil {
			return err
		}
		if checkPinDir(dir) == nil {
			err = removeLeftover(root, name, dir)
		}
		if err := errors.Join(err, dir.Close()); err != nil {
			return err
		}
	}
	return nil
}

// removeTree removes an object's directory and what tbpf puts into one. What it
// does not know it leaves, and says so.
func removeTree(root *bpfsys.FD, name string, dir *bpfsys.FD) error {
	if err := errors.Join(emptyTree(dir), removeMark(dir)); err != nil {
		return err
	}
	return unix.Unlinkat(root.Int(), name, unix.AT_REMOVEDIR)
}

// removeMark removes an object's mark, if it has one.
func removeMark(dir *bpfsys.FD) error {
	if err := unix.Unlinkat(dir.Int(), markName, 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("%s: %w", markName, err)
	}
	return nil
}

// emptyTree removes the pins of an object, links first. The mark stays: as long
// as it is there, the removal can be done again. Everything is removed by name
// in a directory that is open, so that no symbolic link is followed.
func emptyTree(dir *bpfsys.FD) error {
	for _, sub := range pinSubdirs() {
		pins, err := openDir(dir, sub)
		if err == unix.ENOENT {
			continue
		}
		if err == nil {
			err = errors.Join(unlinkAll(pins), pins.Close())
		}
		if err == nil {
			err = unix.Unlinkat(dir.Int(), sub, unix.AT_REMOVEDIR)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", sub, err)
		}
	}
	return nil
}

// unlinkAll removes the files in a directory.
func unlinkAll(dir *bpfsys.FD) error {
	names, err := listDir(dir, ".")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := unix.Unlinkat(dir.Int(), name, 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// openDir opens a directory beneath another, and no symbolic link.
func openDir(dir *bpfsys.FD, name string) (*bpfsys.FD, error) {
	n, err := unix.Openat(dir.Int(), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return bpfsys.NewFD(n)
}
