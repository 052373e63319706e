//go:build linux

// Package slowfs is a file system whose files answer as a test wants: late,
// never, or something else each time. It speaks the kernel's FUSE protocol
// (include/uapi/linux/fuse.h), as far as reading a file needs it.
//
// Tests that run in a virtual machine import it. It imports nothing of tbpf.
package slowfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// File is one file. Size is what stat says of it; Read gives the bytes of one
// request, and may take as long as it likes.
type File struct {
	Size int
	// Cached: the kernel reads ahead and keeps what it read, as of most file
	// systems, and a process that waits can be killed. Otherwise each read of a
	// process is one of the file's.
	Cached bool
	Read   func(open, offset, size int) []byte
}

// FS is a mounted file system: one directory of root's, with its files.
type FS struct {
	fd    int
	dir   string
	names []string // node numbers begin at 2
	files map[string]File
	mu    sync.Mutex
	opens map[string]int
}

// Mount mounts the files at a directory.
func Mount(dir string, files map[string]File) (*FS, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	s := &FS{fd: fd, dir: dir, files: files, opens: make(map[string]int)}
	for name := range files {
		s.names = append(s.names, name)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("slowfs", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, errors.Join(fmt.Errorf("mount fuse: %w", err), unix.Close(fd))
	}
	go s.serve()
	return s, nil
}

// Opens is how often a file was opened.
func (s *FS) Opens(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opens[name]
}

// Close unmounts it: who still waits for an answer gets an error.
func (s *FS) Close() error {
	return errors.Join(unix.Unmount(s.dir, unix.MNT_FORCE|unix.MNT_DETACH), unix.Close(s.fd))
}

// Operations, and what they are asked and answered with.
const (
	opLookup     = 1
	opForget     = 2
	opGetattr    = 3
	opOpen       = 14
	opRead       = 15
	opStatfs     = 17
	opRelease    = 18
	opFlush      = 25
	opInit       = 26
	opOpendir    = 27
	opReleasedir = 29
	opInterrupt  = 36
	opDestroy    = 38
	opForgets    = 42

	root      = 1
	directIO  = 1 // FOPEN_DIRECT_IO: each read is asked for
	asyncRead = 1 // FUSE_ASYNC_READ: who waits for what is read ahead can be killed
	headerLen = 40
)

type header struct {
	Len, Op      uint32
	Unique, Node uint64
	_            [4]uint32
}

type attributes struct {
	Ino, Size, Blocks, Atime, Mtime, Ctime             uint64
	AtimeNs, MtimeNs, CtimeNs                          uint32
	Mode, Links, UID, GID, Device, BlockSize, FlagBits uint32
}

func (s *FS) serve() {
	buf := make([]byte, 256<<10)
	for {
		n, err := unix.Read(s.fd, buf)
		if err == unix.EINTR || err == unix.ENOENT {
			continue
		}
		if err != nil || n < headerLen {
			return // unmounted
		}
		var h header
		if err := binary.Read(bytes.NewReader(buf[:headerLen]), binary.NativeEndian, &h); err != nil {
			return
		}
		go s.answer(h, bytes.Clone(buf[headerLen:n])) // one that is slow holds up no other
	}
}

func (s *FS) answer(h header, in []byte) {
	ne := binary.NativeEndian
	switch h.Op {
	case opForget, opForgets, opInterrupt:
		return
	case opInit:
		s.reply(h, 0, struct {
			Major, Minor, Readahead, Flags uint32
			Background, Congestion         uint16
			Write, Granularity             uint32
			_                              [9]uint32
		}{Major: 7, Minor: 31, Flags: asyncRead, Background: 16, Congestion: 12, Write: 128 << 10, Granularity: 1})
	case opGetattr:
		s.reply(h, 0, struct {
			Valid  uint64
			Ns, _  uint32
			Result attributes
		}{Result: s.attributes(h.Node)})
	case opLookup:
		name, _, _ := bytes.Cut(in, []byte{0})
		for i, have := range s.names {
			if have == string(name) {
				node := uint64(i + 2)
				s.reply(h, 0, struct {
					Node, Generation, EntryValid, AttrValid uint64
					EntryNs, AttrNs                         uint32
					Result                                  attributes
				}{Node: node, Result: s.attributes(node)})
				return
			}
		}
		s.reply(h, unix.ENOENT, nil)
	case opOpen, opOpendir:
		count, flags := 0, uint32(directIO)
		if h.Node != root {
			if s.files[s.names[h.Node-2]].Cached {
				flags = 0
			}
			name := s.names[h.Node-2]
			s.mu.Lock()
			s.opens[name]++
			count = s.opens[name]
			s.mu.Unlock()
		}
		s.reply(h, 0, struct {
			Handle   uint64
			Flags, _ uint32
		}{uint64(count), flags, 0})
	case opRead:
		handle, offset, size := ne.Uint64(in), ne.Uint64(in[8:]), ne.Uint32(in[16:])
		s.reply(h, 0, s.files[s.names[h.Node-2]].Read(int(handle), int(offset), int(size)))
	case opStatfs:
		s.reply(h, 0, make([]byte, 80))
	case opRelease, opReleasedir, opFlush, opDestroy:
		s.reply(h, 0, nil)
	default:
		s.reply(h, unix.ENOSYS, nil)
	}
}

func (s *FS) attributes(node uint64) attributes {
	if node == root {
		return attributes{Ino: node, Mode: unix.S_IFDIR | 0o755, Links: 2}
	}
	return attributes{Ino: node, Size: uint64(s.files[s.names[node-2]].Size), Mode: unix.S_IFREG | 0o644, Links: 1}
}

// reply answers; what went away meanwhile needs no answer.
func (s *FS) reply(h header, errno unix.Errno, payload any) {
	var body bytes.Buffer
	if payload != nil && errno == 0 {
		if err := binary.Write(&body, binary.NativeEndian, payload); err != nil {
			panic(err) // a payload of no fixed size
		}
	}
	var out bytes.Buffer
	for _, v := range []any{uint32(16 + body.Len()), -int32(errno), h.Unique, body.Bytes()} {
		if err := binary.Write(&out, binary.NativeEndian, v); err != nil {
			panic(err)
		}
	}
	_, _ = unix.Write(s.fd, out.Bytes())
}
