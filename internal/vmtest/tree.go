package vmtest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeTree writes files beneath a directory of the host.
func writeTree(dir string, files Files) error {
	for name, file := range files {
		path := filepath.Join(dir, guestPath(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := writeFile(path, file); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, file File) error {
	permissions := fs.FileMode(file.statMode()).Perm() | file.Mode&os.ModeSticky
	switch {
	case file.Mode.IsDir():
		if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return os.Chmod(path, permissions)
	case file.Mode&os.ModeSymlink != 0:
		return os.Symlink(string(file.Data), path)
	case file.Host == "":
		if err := os.WriteFile(path, file.Data, 0o644); err != nil {
			return err
		}
		return os.Chmod(path, permissions)
	}
	in, err := os.Open(file.Host)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(permissions), out.Close())
}
