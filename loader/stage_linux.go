package loader

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// partialPrefix begins the names of directories that are not complete.
const partialPrefix = "tbpf-partial-"

// stage is where an object's pins are made before they are seen. They appear at
// their place all at once or not at all, and a process that dies leaves none.
//
// Where that is possible, it is a bpffs of our own that nobody else sees, and
// that goes with its last descriptor: publish mounts it on the object's
// directory. A user namespace may not make one, and in a mount namespace that
// goes with a unit or container the object would go with the mount: there it is
// a directory beside the final one, which publish renames, and which the next
// stage removes if nobody did.
type stage struct {
	dir     string     // the pin directory; empty: nothing is pinned
	name    string     // the object's directory in it
	root    *bpfsys.FD // the pin directory
	work    *bpfsys.FD // where pins are made
	partial string     // the name of work in root, empty if it is a bpffs of our own
	created bool       // the pin directory was made for this
	entered bool       // the thread's working directory is in work
	replace bool       // what is there under the name may be replaced
	old     *bpfsys.FD // the directory that is to be replaced, nil if there is none
	done    bool
	attempt *Attempt // nil: nobody gives it up
}

// newStage prepares to pin an object beneath dir. It refuses a directory that
// is not in a bpffs, or in which others could put things, and a name that is
// taken.
func newStage(dir, name string, replace bool) (*stage, error) {
	if dir == "" {
		return &stage{}, nil
	}
	file, err := pinName(name)
	if err != nil {
		return nil, failure("pin", name, "pin-name", err)
	}
	if strings.HasPrefix(file, partialPrefix) {
		return nil, failure("pin", name, "pin-name", errors.New("the name is reserved"))
	}
	abs, err := filepath.Abs(dir) // the working directory changes later
	if err != nil {
		return nil, failure("pin", dir, "pin-directory", err)
	}
	s := &stage{dir: abs, name: file, replace: replace}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(pinError(filepath.Join(dir, file), err), s.close())
	}
	return s, nil
}

func (s *stage) prepare() error {
	root, created, err := openPinDir(s.dir, true)
	if err != nil {
		return err
	}
	s.root, s.created = root, created
	if err := lock(root, lockTime); err != nil {
		return err
	}
	if err := removePartial(root); err != nil {
		return err
	}
	var st unix.Stat_t
	switch err := unix.Fstatat(root.Int(), s.name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
	case unix.ENOENT:
	case nil:
		if !emptyLeftover(root, s.name, &st) {
			if err := s.openOld(); err != nil {
				return err
			}
			return s.makeWork()
		}
		// What remains where a process died before its pins were mounted.
		if err := unix.Unlinkat(root.Int(), s.name, unix.AT_REMOVEDIR); err != nil {
			return err
		}
	default:
		return err
	}
	return s.makeWork()
}

var errPinExists = errors.New("something is pinned there already")

// makeWork makes the place where pins are made.
func (s *stage) makeWork() (err error) {
	if !mountsLast(s.root) {
		return s.makePartial()
	}
	s.work, err = privateBPFFS()
	if errors.Is(err, unix.EPERM) {
		return s.makePartial() // a user namespace that init is in too, or no CAP_SYS_ADMIN
	}
	return err
}

// mountsLast reports whether a mount that is made in the pin directory stays
// when this process is gone: whether the directory's own mount is one of the
// first process's namespace. Mounts have numbers that no two namespaces share.
// The namespace itself (/proc/1/ns/mnt) is shown only to who has every
// capability of the first process, which a service has not. Where it cannot be
// seen, it is not.
func mountsLast(dir *bpfsys.FD) bool {
	var st unix.Statx_t
	if err := unix.Statx(dir.Int(), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return false
	}
	mounts, err := os.ReadFile("/proc/1/mountinfo")
	if err != nil {
		return false
	}
	number := append(strconv.AppendUint(nil, st.Mnt_id, 10), ' ')
	return bytes.HasPrefix(mounts, number) || bytes.Contains(mounts, append([]byte{'\n'}, number...))
}

// makePartial makes a directory beside the final one.
func (s *stage) makePartial() error {
	partial, err := partialName()
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(s.root.Int(), partial, 0o700); err != nil {
		return err
	}
	s.partial = partial
	s.work, err = openDir(s.root, partial)
	return err
}

// privateBPFFS makes a bpffs that is mounted nowhere.
func privateBPFFS() (*bpfsys.FD, error) {
	n, err := unix.Fsopen("bpf", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	fs, err := bpfsys.NewFD(n)
	if err != nil {
		return nil, err
	}
	defer fs.Close()
	if err := unix.FsconfigSetString(fs.Int(), "mode", "0700"); err != nil {
		return nil, err
	}
	if err := unix.FsconfigCreate(fs.Int()); err != nil {
		return nil, err
	}
	n, err = unix.Fsmount(fs.Int(), unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, err
	}
	return bpfsys.NewFD(n)
}

// enter makes the stage the calling thread's working directory, so that pins
// are made by relative paths: 6.1 takes no directory descriptor, and /proc may
// not be there. The thread ends with the load.
func (s *stage) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	err := unix.Fchdir(s.work.Int())
	s.entered = err == nil
	return err
}

// publish puts the pins into their place.
func (s *stage) publish() error {
	if s.old != nil {
		return s.publishOver()
	}
	if s.partial != "" {
		err := unix.Renameat2(s.root.Int(), s.partial, s.root.Int(), s.name, unix.RENAME_NOREPLACE)
		if err == unix.EEXIST {
			return errPinExists
		}
		s.done = err == nil
		return err
	}
	if err := unix.Mkdirat(s.root.Int(), s.name, 0o700); err != nil {
		if err == unix.EEXIST {
			return errPinExists
		}
		return err
	}
	err := unix.MoveMount(s.work.Int(), "", s.root.Int(), s.name, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return errors.Join(err, unix.Unlinkat(s.root.Int(), s.name, unix.AT_REMOVEDIR))
	}
	s.done = true
	return nil
}

// watch lets a caller give the load up that the stage is of.
func (s *stage) watch(a *Attempt) {
	if s.root == nil {
		return // nothing is pinned
	}
	s.attempt = a
	a.holds(func() { _ = unix.Flock(s.root.Int(), unix.LOCK_UN) })
}

// close ends the stage. What was not published is removed, by unlinking: the
// thread's working directory would hold a bpffs for a while longer.
func (s *stage) close() error {
	s.attempt.holds(nil)
	var errs []error
	if s.entered {
		errs = append(errs, unix.Chdir("/"))
	}
	if s.work != nil && !s.done {
		errs = append(errs, emptyTree(s.work), removeMark(s.work))
	}
	errs = append(errs, s.work.Close())
	if s.partial != "" && !s.done {
		if err := unix.Unlinkat(s.root.Int(), s.partial, unix.AT_REMOVEDIR); err != unix.ENOENT {
			errs = append(errs, err)
		}
	}
	errs = append(errs, s.old.Close())
	if s.created && !s.done {
		errs = append(errs, os.Remove(s.dir))
	}
	errs = append(errs, s.root.Close())
	return errors.Join(errs...)
}

// pinError says why something cannot be pinned.
func pinError(path string, err error) *Error {
	e := failure("pin", path, "pin-failed", err)
	switch {
	case errors.Is(err, errPinExists):
		e.Reason, e.Hint = "pin-exists", "unload it first, or choose another directory with --pin"
	case errors.Is(err, errNotBPFFS):
		e.Reason, e.Hint = "not-a-bpffs", "mount -t bpf bpf /sys/fs/bpf, and pin beneath it"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		e.verdict, e.Reason = Permission, "not-permitted"
	case errors.Is(err, errOthersWrite):
		e.verdict, e.Reason, e.Hint = Permission, "not-permitted", "pin beneath a directory of root's alone: --pin /sys/fs/bpf/tbpf makes one"
	}
	return e
}
