//go:build linux

package trustpath

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// newSuffix ends the name of a file that is being written. Only the holder of
// the directory's lock writes, so one left by a process that died is in
// nobody's way.
const newSuffix = ".new"

// lockWait is how long another process may hold a directory's lock.
const lockWait = 30 * time.Second

// MakeDir opens the directory at an absolute path and makes it, and every one
// above it that is missing, mode 0755. The last is mode 0700 then, whatever it
// was: who can open a directory can hold its lock.
func MakeDir(path string) (*Dir, error) { return walker{}.makeDir(path) }

func (w walker) makeDir(path string) (*Dir, error) {
	steps, err := split(path)
	if err != nil {
		return nil, err
	}
	d, err := w.walk(nil)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return nil, errors.Join(&Error{Path: path, Why: "it is not made private"}, d.Close())
	}
	for _, step := range steps {
		next, err := d.makeDir(step)
		if err := errors.Join(err, d.Close()); err != nil {
			if next != nil {
				err = errors.Join(err, next.Close())
			}
			return nil, err
		}
		d = next
	}
	if err := unix.Fchmod(d.fd, 0o700); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "chmod", Path: path, Err: err}, d.Close())
	}
	return d, nil
}

func (d *Dir) makeDir(name string) (*Dir, error) {
	next, err := d.OpenDir(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return next, err
	}
	if err := unix.Mkdirat(d.fd, name, 0o755); err != nil && err != unix.EEXIST {
		return nil, &fs.PathError{Op: "mkdir", Path: filepath.Join(d.path, name), Err: err}
	}
	if err := unix.Fsync(d.fd); err != nil {
		return nil, &fs.PathError{Op: "sync", Path: d.path, Err: err}
	}
	return d.OpenDir(name)
}

// Lock keeps other processes that call it out, until d is closed.
func (d *Dir) Lock() error {
	for end := time.Now().Add(lockWait); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return &fs.PathError{Op: "lock", Path: d.path, Err: err}
		}
		if time.Now().After(end) {
			return &Error{Path: d.path, Why: "another process has held its lock for too long"}
		}
	}
}

// WriteFile puts a file in place, mode 0600: after it, and after any failure or
// loss of power, the name has its old contents or the new ones, whole. The
// caller must hold the lock.
func (d *Dir) WriteFile(name string, data []byte) error {
	temporary := name + newSuffix
	path := filepath.Join(d.path, name)
	if err := d.Remove(temporary); err != nil {
		return err
	}
	fd, err := unix.Openat(d.fd, temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &fs.PathError{Op: "create", Path: path, Err: err}
	}
	err = errors.Join(writeAll(fd, data), unix.Close(fd))
	if err == nil {
		err = unix.Renameat(d.fd, temporary, d.fd, name)
	}
	if err != nil {
		return errors.Join(&fs.PathError{Op: "write", Path: path, Err: err}, d.Remove(temporary))
	}
	if err := unix.Fsync(d.fd); err != nil {
		return &fs.PathError{Op: "sync", Path: d.path, Err: err}
	}
	return nil
}

// writeAll writes and brings it to the disk.
func writeAll(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil && err != unix.EINTR {
			return err
		}
		data = data[max(n, 0):]
	}
	return unix.Fsync(fd)
}

// Remove removes a file, if it is there.
func (d *Dir) Remove(name string) error {
	if err := unix.Unlinkat(d.fd, name, 0); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "remove", Path: filepath.Join(d.path, name), Err: err}
	}
	return nil
}
