// Package wholefile reads and writes files whole. What Read returns was read
// once and is bounded; what Write leaves behind is the whole file or nothing,
// and it replaces a file only where it is told to.
//
// The command line imports it. It imports nothing of tbpf.
package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Reasons that Read and Write give besides those of the operating system.
var (
	ErrDirectory  = errors.New("is a directory")
	ErrNoWriter   = errors.New("is a pipe that nobody writes to")
	ErrNotRegular = errors.New("is not a regular file")
)

// TooLargeError says that a file has more bytes than its reader takes.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("is larger than the limit of %d bytes", e.Limit)
}

// Seen is told what was read up to now, after each piece, and the expected size.
type Seen func(data []byte, size int64)

// Read returns the contents of the file at path, at most limit bytes. It never
// waits for somebody to open the other end of a pipe. Errors are *fs.PathError.
func Read(path string, limit int64) ([]byte, error) { return ReadSeen(path, limit, nil) }

// ReadSeen is Read, and tells seen how far it is.
func ReadSeen(path string, limit int64, seen Seen) ([]byte, error) {
	// O_NONBLOCK: open of a FIFO without it waits for a writer (fifo(7)).
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrDirectory}
	}
	if info.Mode().IsRegular() && info.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: &TooLargeError{limit}}
	}
	data, err := readFrom(f, info.Size(), limit, seen)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	if len(data) == 0 && info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrNoWriter}
	}
	return data, nil
}

// ReadFrom returns what is left in r, at most limit bytes. The expected size
// only saves copies.
func ReadFrom(r io.Reader, size, limit int64) ([]byte, error) { return readFrom(r, size, limit, nil) }

// piece is how much is read at a time if somebody is told of it, in bytes.
const piece = 256 << 10

func readFrom(r io.Reader, size, limit int64, seen Seen) ([]byte, error) {
	// One byte more than expected, so that a file of that size ends without
	// another growth, and never more than the limit asks for.
	data := make([]byte, 0, min(max(size, 511), limit)+1)
	hugePages(data[:cap(data)])
	for {
		free := data[len(data):cap(data)]
		if seen != nil {
			free = free[:min(len(free), piece)]
		}
		n, err := r.Read(free)
		data = data[:len(data)+n]
		if seen != nil {
			seen(data, size)
		}
		if int64(len(data)) > limit {
			return nil, &TooLargeError{limit}
		}
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			grown := make([]byte, len(data), min(2*int64(cap(data)), limit+1))
			copy(grown, data)
			data = grown
		}
	}
}
