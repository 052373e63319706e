//go:build linux

// Package trustpath reads files that decide what a machine trusts: policy,
// keyring, boot set, floor, sealed objects.
//
// It guarantees that what it returns was read once, through the descriptor
// that was checked, from a regular file that root owns and nobody else may
// write to, and that the same holds for every directory from / down to it.
// There is no symbolic link and no magic link on the way, not even one that
// root made: every step is openat2 with RESOLVE_NO_SYMLINKS beneath the
// directory that was checked before it. So nobody but root can decide what is
// read, now or between two reads.
//
// The trusted loader and what it is made of import it. It imports nothing of
// tbpf.
package trustpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/sorted"
)

// maxNames bounds the number of files in a directory.
const maxNames = 4096

// Error says which step of a path is not to be trusted, and why. A path that
// is missing is an *fs.PathError around ENOENT instead.
type Error struct {
	Path string // up to the step that failed
	Why  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Why) }

// walker is where paths begin and who must own everything. Only tests have
// another than the zero value's: the root directory and root.
type walker struct {
	root  string
	owner uint32
}

// ReadFile returns the contents of the file at an absolute path, at most limit
// bytes.
func ReadFile(path string, limit int64) ([]byte, error) { return walker{}.readFile(path, limit) }

// OpenDir opens the directory at an absolute path.
func OpenDir(path string) (*Dir, error) { return walker{}.openDir(path) }

func (w walker) readFile(path string, limit int64) ([]byte, error) {
	steps, err := split(path)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return nil, &Error{Path: path, Why: "it is not a regular file"}
	}
	dir, err := w.walk(steps[:len(steps)-1])
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.ReadFile(steps[len(steps)-1], limit)
}

func (w walker) openDir(path string) (*Dir, error) {
	steps, err := split(path)
	if err != nil {
		return nil, err
	}
	return w.walk(steps)
}

// split takes an absolute path apart. It takes only the shortest spelling, so
// that the path in a message is the one that was walked.
func split(path string) ([]string, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return nil, &Error{Path: path, Why: "it is not an absolute path"}
	case filepath.Clean(path) != path || strings.Contains(path, "\x00"):
		return nil, &Error{Path: path, Why: "it has empty steps, . or .. in it"}
	case path == "/":
		return nil, nil
	}
	return strings.Split(path[1:], "/"), nil
}

// walk opens a directory step by step.
func (w walker) walk(steps []string) (*Dir, error) {
	root := w.root
	if root == "" {
		root = "/"
	}
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: root, Err: err}
	}
	d := &Dir{fd: fd, path: "/", owner: w.owner}
	if err := d.check(fd, "/"); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	for _, step := range steps {
		next, err := d.OpenDir(step)
		if err := errors.Join(err, d.Close()); err != nil {
			if next != nil {
				err = errors.Join(err, next.Close())
			}
			return nil, err
		}
		d = next
	}
	return d, nil
}

// Dir is a directory that only root can change, and so can every one above it.
type Dir struct {
	fd    int
	path  string
	owner uint32
}

// Path is where the directory was found.
func (d *Dir) Path() string { return d.path }

// FD is the directory's descriptor. It belongs to d.
func (d *Dir) FD() int { return d.fd }

// Close closes the directory.
func (d *Dir) Close() error { return unix.Close(d.fd) }

// OpenDir opens a directory in d.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	fd, path, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd, path: path, owner: d.owner}, nil
}

// Names lists what is in the directory, sorted.
func (d *Dir) Names() ([]string, error) {
	// Another description of the same directory: d's own position stays.
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: d.path, Err: err}
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "readdir", Path: d.path, Err: err}
		}
		if n <= 0 {
			sorted.Strings(names)
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
		if len(names) > maxNames {
			return nil, &Error{Path: d.path, Why: fmt.Sprintf("it has more than %d files", maxNames)}
		}
	}
}

// ReadFile returns the contents of a regular file in d, at most limit bytes.
func (d *Dir) ReadFile(name string, limit int64) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO must not wait for its other end.
	fd, path, err := d.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &Error{Path: path, Why: "it is not a regular file"}
	}
	data := make([]byte, 0, min(max(st.Size, 0), limit)+1)
	for {
		if int64(len(data)) > limit {
			return nil, &Error{Path: path, Why: fmt.Sprintf("it has more than %d bytes", limit)}
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data)+512)
		}
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return data, nil
		default:
			data = data[:len(data)+n]
		}
	}
}

// open takes one step and checks what it found.
func (d *Dir) open(name string, flags uint64) (int, string, error) {
	path := filepath.Join(d.path, name)
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return -1, path, &Error{Path: d.path, Why: fmt.Sprintf("%q is not the name of a file", name)}
	}
	fd, err := unix.Openat2(d.fd, name, &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_BENEATH,
	})
	if err != nil {
		return -1, path, d.openError(name, path, err)
	}
	if err := d.check(fd, path); err != nil {
		return -1, path, errors.Join(err, unix.Close(fd))
	}
	return fd, path, nil
}

// openError says what is wrong with a symbolic link, for which the kernel has
// one error number among others.
func (d *Dir) openError(name, path string, err error) error {
	var st unix.Stat_t
	if unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return &Error{Path: path, Why: "it is a symbolic link: give the path that it leads to"}
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}

// overflowUser owns, as a user namespace sees it, what belongs to somebody who
// has no number in it.
const overflowUser = 65534

// inUserNamespace reports whether this process is in a user namespace that is
// not the initial one. There the machine's root may have no number, as in a
// service that was given a token: what belongs to somebody outside, nobody
// inside can change. In the initial one, and where it cannot be told, root is
// root.
func inUserNamespace() bool {
	mapping, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && len(mapping) > 0 && strings.Join(strings.Fields(string(mapping)), " ") != "0 0 4294967295"
}

// check refuses what somebody else than root could change. Access control
// lists that let others write show in the group's bits.
func (d *Dir) check(fd int, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case st.Uid != d.owner && !(st.Uid == overflowUser && inUserNamespace()):
		return &Error{Path: path, Why: fmt.Sprintf("it belongs to user %d and not to root", st.Uid)}
	case st.Mode&0o022 != 0:
		return &Error{Path: path, Why: fmt.Sprintf("others than its owner may write to it (mode %04o)", st.Mode&0o7777)}
	}
	return nil
}

// ReadKernelFile returns what a small file of procfs or sysfs says, without the
// line break at its end. The file system there must be the kernel's.
func ReadKernelFile(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var where unix.Statfs_t
	if err := unix.Fstatfs(fd, &where); err != nil {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if where.Type != unix.PROC_SUPER_MAGIC && where.Type != unix.SYSFS_MAGIC {
		return "", &Error{Path: path, Why: "it is not the kernel's"}
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return "", &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return strings.TrimSuffix(string(buf[:n]), "\n"), nil
}
