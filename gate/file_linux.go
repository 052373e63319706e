package gate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/trustpath"
)

// IdentifyFile is what the kernel numbers a regular file by. Only root may be
// able to write it or to put another in its place, and nobody may have it open
// for writing.
//
// The numbers are to be this file's alone for as long as the machine runs. A
// file system without a device has a number that the next one gets when it is
// unmounted; on btrfs every subvolume has files of the same numbers, on overlayfs
// every layer may. All of them are refused but the one that the machine began
// with.
func IdentifyFile(path string) (FileID, error) {
	dir, err := trustpath.OpenDir(filepath.Dir(path))
	if err != nil {
		return FileID{}, err
	}
	defer dir.Close()
	fd, err := unix.Openat(dir.FD(), filepath.Base(path), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return FileID{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return FileID{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != 0 || st.Mode&0o022 != 0 {
		return FileID{}, fmt.Errorf("%s: it is no regular file that only root may write", path)
	}
	// A lease for reading is not given while somebody may write (fcntl(2)).
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	if errors.Is(err, unix.EAGAIN) {
		return FileID{}, fmt.Errorf("%s: somebody has it open for writing", path)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	}
	if err != nil {
		return FileID{}, &os.PathError{Op: "lease", Path: path, Err: err}
	}
	id, kind, err := kernelNumbers(fd)
	if err != nil {
		return FileID{}, fmt.Errorf("%s: %w", path, err)
	}
	if id.Device>>20 == 0 && kind != "rootfs" {
		return FileID{}, &AnonymousError{Path: path, Kind: kind, ID: id}
	}
	return id, nil
}

// AnonymousError says that a file's numbers may be another file's, too.
type AnonymousError struct {
	Path string
	Kind string // of the file system
	ID   FileID // the numbers, of which nothing may depend
}

func (e *AnonymousError) Error() string {
	return fmt.Sprintf("%s: %s has no device of its own, and so other files may have the numbers of this one: it has to be on a disk", e.Path, e.Kind)
}

// kernelNumbers finds inode and device as the kernel has them, stat tells others
// on btrfs and overlayfs, and the kind of the file system.
func kernelNumbers(fd int) (FileID, string, error) {
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return FileID{}, "", err
	}
	inode, err := field(info, "ino:")
	if err != nil {
		return FileID{}, "", err
	}
	mount, err := field(info, "mnt_id:")
	if err != nil {
		return FileID{}, "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return FileID{}, "", err
	}
	for line := range bytes.Lines(mounts) {
		words := strings.Fields(string(line))
		if len(words) < 3 || words[0] != strconv.FormatUint(mount, 10) {
			continue
		}
		major, minor, ok := strings.Cut(words[2], ":")
		a, err := strconv.ParseUint(major, 10, 12)
		b, err2 := strconv.ParseUint(minor, 10, 20)
		dash := slices.Index(words, "-") // proc_pid_mountinfo(5)
		if !ok || err != nil || err2 != nil || dash < 0 || dash+1 == len(words) {
			break
		}
		return FileID{Inode: inode, Device: uint32(a)<<20 | uint32(b)}, words[dash+1], nil
	}
	return FileID{}, "", errors.New("the mount of a file is not in /proc/self/mountinfo")
}

// field is a number in /proc/self/fdinfo.
func field(info []byte, name string) (uint64, error) {
	for line := range bytes.Lines(info) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return strconv.ParseUint(string(bytes.TrimSpace(rest)), 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/self/fdinfo has no %s", name)
}

// kernelDevice is a device number from stat(2) as the kernel has it.
func kernelDevice(dev uint64) uint32 { return unix.Major(dev)<<20 | unix.Minor(dev) }
