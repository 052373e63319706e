//go:build linux

// Package loaded opens what tbpf has loaded: the maps, programs and links of a
// sealed object that is pinned under its name, for a program in Go that works
// with them through github.com/cilium/ebpf. An agent that loaded its objects
// itself keeps everything but that: where it had ebpf.LoadCollection, it has
//
//	o, err := loaded.Open("slow", loaded.Options{})
//	if err != nil { ... }
//	defer o.Close()
//	events, err := o.Map("events")
//
// It loads nothing, verifies no signature, and attaches and detaches nothing:
// who loads is `tbpf load --pin` or tbpf-loader, and what they did stays when
// the agent ends. What it guarantees is that everything it hands out is one
// object, complete as it was published, out of a directory in a bpffs that only
// root, or the user it runs as, can change, and marked by tbpf as an object of
// that name. It needs the right to open the pins: root's, unless they were
// given to somebody else.
//
// Any program may import it. It imports none of tbpf's packages that verify,
// sign or load.
package loaded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// DefaultDir is where tbpf and tbpf-loader pin objects.
const DefaultDir = "/sys/fs/bpf/tbpf"

// ErrNotLoaded says that no object of the name is there. Errors of Open and of
// the methods are this, or come from the system.
var ErrNotLoaded = errors.New("no such object is loaded")

// Options say where to look. The zero value is the machine's own place.
type Options struct {
	// Dir is the directory beneath which objects are pinned: what --pin names,
	// or /sys/fs/bpf and the boot set's `pin`. Empty: DefaultDir.
	Dir string
	// ReadOnly opens maps for reading alone.
	ReadOnly bool
}

// Object is one loaded object. It holds the directory of its pins, so that all
// that it opens is of one load: when a newer version has taken its place, or it
// was unloaded, nothing more can be opened, and Open finds the new one.
type Object struct {
	name string
	dir  *os.File
	opt  Options
}

// Open finds a loaded object by its name.
func Open(name string, opt Options) (*Object, error) {
	if opt.Dir == "" {
		opt.Dir = DefaultDir
	}
	file, err := pin(name)
	if err != nil {
		return nil, err
	}
	// Each directory is opened from the one before it, without following links,
	// and looked at through its descriptor.
	root, err := openDir(unix.AT_FDCWD, opt.Dir)
	if err != nil {
		return nil, notLoaded(name, err)
	}
	defer root.Close()
	dir, err := openDir(int(root.Fd()), file)
	if err != nil {
		return nil, notLoaded(name, err)
	}
	mark, err := readLink(dir, "tbpf")
	if err == nil && (!strings.HasPrefix(mark, "tbpf-object/1 ") || !strings.HasSuffix(mark, fmt.Sprintf(" name=%q", name))) {
		err = fmt.Errorf("the directory is not that of this object: %w", ErrNotLoaded)
	}
	if err != nil {
		return nil, errors.Join(notLoaded(name, err), dir.Close())
	}
	return &Object{name, dir, opt}, nil
}

// Close closes the object. Maps, programs and links that it gave stay open.
func (o *Object) Close() error { return o.dir.Close() }

// Map opens a map by its name in the object: "events", ".rodata". The caller
// closes it.
func (o *Object) Map(name string) (*ebpf.Map, error) {
	path, err := o.path("maps", name)
	if err != nil {
		return nil, err
	}
	m, err := ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: o.opt.ReadOnly})
	return m, o.named("map", name, err)
}

// Program opens a program by the name of its function. An optional one that was
// skipped is not there.
func (o *Object) Program(name string) (*ebpf.Program, error) {
	path, err := o.path("programs", name)
	if err != nil {
		return nil, err
	}
	p, err := ebpf.LoadPinnedProgram(path, nil)
	return p, o.named("program", name, err)
}

// Link opens the attachment of a program. Closing it detaches nothing: the pin
// holds it. One that tbpf did not attach is not there.
func (o *Object) Link(program string) (link.Link, error) {
	path, err := o.path("links", program)
	if err != nil {
		return nil, err
	}
	l, err := link.LoadPinnedLink(path, nil)
	return l, o.named("link", program, err)
}

// Maps opens all maps, by the names of their pins: dots are underscores there,
// "_rodata".
func (o *Object) Maps() (map[string]*ebpf.Map, error) {
	d, err := openDir(int(o.dir.Fd()), "maps")
	if err != nil {
		return nil, notLoaded(o.name, err)
	}
	names, err := d.Readdirnames(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, fmt.Errorf("object %q: %w", o.name, err)
	}
	all := make(map[string]*ebpf.Map, len(names))
	for _, name := range names {
		m, err := o.Map(name)
		if err != nil {
			for _, m := range all {
				err = errors.Join(err, m.Close())
			}
			return nil, err
		}
		all[name] = m
	}
	return all, nil
}

// path leads to a pin through the object's own descriptor.
func (o *Object) path(kind, name string) (string, error) {
	file, err := pin(name)
	if err != nil {
		return "", err
	}
	return filepath.Join(fmt.Sprintf("/proc/self/fd/%d", o.dir.Fd()), kind, file), nil
}

// named says what could not be opened. A pin that is not there is fs.ErrNotExist.
func (o *Object) named(what, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q of object %q: %w", what, name, o.name, err)
}

// pin is the file name of something in a bpffs, where dots are reserved.
func pin(name string) (string, error) {
	if name == "" || len(name) > 255 || name == ".." || name == "." || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("%q is no name of an object or of a part of one", name)
	}
	return strings.ReplaceAll(name, ".", "_"), nil
}

// notLoaded is the error of an object that cannot be opened.
func notLoaded(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("object %q: %w", name, ErrNotLoaded)
	}
	return fmt.Errorf("object %q: %w", name, err)
}

// openDir opens a directory of a bpffs that nobody but root, or this process's
// user, can write to.
func openDir(at int, name string) (*os.File, error) {
	n, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	d := os.NewFile(uintptr(n), name)
	var where unix.Statfs_t
	var st unix.Stat_t
	err = errors.Join(unix.Fstatfs(n, &where), unix.Fstat(n, &st))
	switch {
	case err != nil:
	case where.Type != unix.BPF_FS_MAGIC:
		err = errors.New("it is not in a bpffs")
	case st.Uid != 0 && int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0:
		err = errors.New("others may write to it")
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: err}, d.Close())
	}
	return d, nil
}

// readLink reads a symbolic link in a directory.
func readLink(d *os.File, name string) (string, error) {
	text := make([]byte, 4096)
	n, err := unix.Readlinkat(int(d.Fd()), name, text)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return string(text[:n]), nil
}
