package vmtest

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/vmtest/wire"
)

// File is one file of the guest: Data, or the contents of a file of the host.
type File struct {
	Host string
	Data []byte
	// Mode is its permissions, 0 = 0755. With os.ModeSymlink Data is where the
	// link leads, with os.ModeDir there is no data.
	Mode os.FileMode
}

// Files maps guest paths to files. Relative paths are beneath the working
// directory of the steps.
type Files map[string]File

// AddTree adds a file of the host, or all files beneath a directory of it,
// with their permissions.
func (f Files) AddTree(guest, host string) error {
	return filepath.WalkDir(host, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(host, name)
		if err != nil {
			return err
		}
		f[path.Join(guest, filepath.ToSlash(relative))] = File{Host: name, Mode: info.Mode().Perm()}
		return nil
	})
}

// guestPath makes a path of Files absolute.
func guestPath(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(wire.WorkDir, name)
}

// archive writes cpio archives in the "newc" format, as
// Documentation/driver-api/early-userspace/buffer-format.rst has it.
type archive struct {
	out   *bufio.Writer
	inode int
	size  int64 // bytes written
	dirs  map[string]bool
}

// writeInitrd writes files, with the directories that they need, to w.
func writeInitrd(w io.Writer, files Files) error {
	a := &archive{out: bufio.NewWriter(w), dirs: map[string]bool{"/": true}}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		file := files[name]
		data := file.Data
		if file.Host != "" {
			var err error
			if data, err = os.ReadFile(file.Host); err != nil {
				return err
			}
		}
		name = guestPath(name)
		a.parents(name)
		if file.Mode.IsDir() {
			a.dirs[name] = true
		}
		a.entry(name, file.statMode(), data)
	}
	a.entry("/TRAILER!!!", 0, nil)
	return a.out.Flush()
}

// statMode is the mode as stat(2) has it.
func (f File) statMode() uint32 {
	permissions := uint32(f.Mode.Perm())
	if permissions == 0 {
		permissions = 0o755
	}
	if f.Mode&os.ModeSticky != 0 {
		permissions |= unix.S_ISVTX
	}
	switch {
	case f.Mode.IsDir():
		return unix.S_IFDIR | permissions
	case f.Mode&os.ModeSymlink != 0:
		return unix.S_IFLNK | 0o777
	default:
		return unix.S_IFREG | permissions
	}
}

// parents adds the directories above a path, once each.
func (a *archive) parents(name string) {
	dir := path.Dir(name)
	if a.dirs[dir] {
		return
	}
	a.parents(dir)
	a.dirs[dir] = true
	a.entry(dir, 0o040755, nil)
}

// entry adds one header and its data. Errors stay in the bufio.Writer and
// come out of Flush.
func (a *archive) entry(name string, mode uint32, data []byte) {
	a.inode++
	if name = strings.TrimPrefix(name, "/"); name == "" {
		name = "." // the root directory itself
	}
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.write([]byte(header))
	a.write(data)
}

// write adds data and zeroes up to the next multiple of four.
func (a *archive) write(data []byte) {
	n, _ := a.out.Write(data)
	a.size += int64(n)
	for a.size%4 != 0 {
		_ = a.out.WriteByte(0)
		a.size++
	}
}
