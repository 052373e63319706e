package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Limits of what a keyring is read from.
const (
	maxKeyFile  = 256 << 10 // bytes of one file
	maxKeyFiles = 1024      // files of one directory
)

// SystemDirs returns the directories of the machine's own keyring, the one
// that takes precedence first.
func SystemDirs() []string { return []string{"/etc/tbpf/keyring.d", "/usr/lib/tbpf/keyring.d"} }

// LoadKeyring reads the keyring that the caller names: files, and directories
// with files that end in .pem, .crt, .cer or .pub. Anything named that is
// missing, and anything found that cannot be read completely, is an error. An
// empty file in a directory is no key, so that LoadKeyring of one of the
// SystemDirs works.
func LoadKeyring(paths []string) (*Keyring, error) {
	if len(paths) == 0 {
		return nil, errors.New("load keyring: no path given")
	}
	ring := &Keyring{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, loadError(err)
		}
		if info.IsDir() {
			if err := ring.readDirs([]Dir{plainDir(path)}); err != nil {
				return nil, err
			}
			continue
		}
		data, err := readRegular(path)
		if err != nil {
			return nil, loadError(err)
		}
		if err := ring.addFile(data, path, false); err != nil {
			return nil, err
		}
	}
	return ring, nil
}

// LoadSystemKeyring reads the directories of a machine, usually SystemDirs. A
// file masks files of the same name in later directories; an empty file does
// so too, which is how a vendor's key is removed. A directory that does not
// exist has no keys; no directory at all gives a keyring that trusts nobody. A
// link that leads nowhere is no missing directory but an error: what it should
// lead to may remove keys.
func LoadSystemKeyring(dirs ...string) (*Keyring, error) {
	var present []Dir
	for _, dir := range dirs {
		_, err := os.Lstat(dir)
		switch {
		case err == nil:
			present = append(present, plainDir(dir))
		case !errors.Is(err, fs.ErrNotExist):
			return nil, loadError(err)
		}
	}
	return ReadKeyring(present...)
}

// loadError names the file, and not the system call that failed on it.
func loadError(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("load keyring: %s: %w", at.Path, at.Err)
	}
	return fmt.Errorf("load keyring: %w", err)
}

// Dir is a directory of a keyring that somebody else opened, and read with more
// care than this package has.
type Dir interface {
	Path() string
	Names() ([]string, error) // sorted
	ReadFile(name string, limit int64) ([]byte, error)
}

// ReadKeyring is LoadSystemKeyring for directories that the caller opened.
func ReadKeyring(dirs ...Dir) (*Keyring, error) {
	ring := &Keyring{}
	if err := ring.readDirs(dirs); err != nil {
		return nil, err
	}
	return ring, nil
}

// plainDir is a directory as any process reads it.
type plainDir string

func (d plainDir) Path() string { return string(d) }

func (d plainDir) Names() ([]string, error) {
	entries, err := os.ReadDir(string(d)) // sorted by name
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (d plainDir) ReadFile(name string, _ int64) ([]byte, error) {
	return readRegular(filepath.Join(string(d), name))
}

// readDirs reads directories of which an earlier one masks later ones.
func (r *Keyring) readDirs(dirs []Dir) error {
	masked := make(map[string]bool)
	for _, dir := range dirs {
		names, err := dir.Names()
		if err != nil {
			return loadError(err)
		}
		if len(names) > maxKeyFiles {
			return fmt.Errorf("load keyring: %s has %d files: at most %d are taken", dir.Path(), len(names), maxKeyFiles)
		}
		for _, name := range names {
			path := filepath.Join(dir.Path(), name)
			if !isKeyFile(name) {
				r.skip = append(r.skip, path)
				continue
			}
			if masked[name] {
				continue
			}
			masked[name] = true
			data, err := dir.ReadFile(name, maxKeyFile)
			if err != nil {
				return loadError(err)
			}
			if err := r.addFile(data, path, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// addFile adds one file's keys to the ring. mask says that it may be empty.
func (r *Keyring) addFile(data []byte, path string, mask bool) error {
	if mask && len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := r.parseTrust(data, path); err != nil {
		return fmt.Errorf("load keyring: %s: %w", path, err)
	}
	return nil
}

func isKeyFile(name string) bool {
	return name[0] != '.' && slices.Contains([]string{".pem", ".crt", ".cer", ".pub"}, filepath.Ext(name))
}

// readRegular reads a regular file of bounded size. What it asks about is the
// file that it opened, and opening does not wait for the other end of a FIFO.
func readRegular(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxKeyFile)
	}
	return data, nil
}
