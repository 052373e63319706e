package wholefile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Write makes the file at path with the given contents and mode (less the
// umask). An existing file stays as it is (fs.ErrExist) unless replace is set.
// No reader ever sees a part of it: the bytes go to a hidden file beside it
// that then gets its name. It does not sync: what a power failure takes from a
// build, the next build makes again.
//
// A device or pipe is written to directly. Errors are *fs.PathError.
func Write(path string, data []byte, mode fs.FileMode, replace bool) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir():
		return &fs.PathError{Op: "write", Path: path, Err: ErrDirectory}
	case !info.Mode().IsRegular():
		return writeSpecial(path, data)
	case !replace:
		return &fs.PathError{Op: "write", Path: path, Err: fs.ErrExist}
	}

	temp := filepath.Join(filepath.Dir(path), ".tbpf-"+rand.Text())
	if err := writeTemp(temp, data, mode, false); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: cause(err)}
	}
	defer os.Remove(temp) // an error means that the rename took it away
	if replace {
		err = os.Rename(temp, path)
	} else {
		err = nameNew(temp, path)
	}
	if err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: cause(err)}
	}
	return nil
}

// nameNew gives temp the name path, which must be free.
func nameNew(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links (vfat, some network ones): take the
	// name with an empty file, then put the whole one over it.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	if err := os.Rename(temp, path); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

// Replace puts new contents in place of a regular file's, with the same mode:
// after it, and after any failure or loss of power, the file has the old contents
// or the new ones, whole. Errors are *fs.PathError.
func Replace(path string, data []byte) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "write", Path: path, Err: ErrNotRegular}
	}
	dir := filepath.Dir(path)
	temp := filepath.Join(dir, ".tbpf-"+rand.Text())
	err = writeTemp(temp, data, info.Mode().Perm(), true)
	if err == nil {
		if err = os.Rename(temp, path); err != nil {
			os.Remove(temp)
		}
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: cause(err)}
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

func writeTemp(temp string, data []byte, mode fs.FileMode, sync bool) error {
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && sync {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

func writeSpecial(path string, data []byte) error {
	// O_NONBLOCK: a FIFO without a reader is an error and not a wait.
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// cause strips the hidden file's name from an error.
func cause(err error) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
