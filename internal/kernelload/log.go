//go:build linux

package kernelload

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// logBuffer is memory for the verifier's log. It is mapped, because its address
// goes through the context as a number. Nil memory: no log is wanted.
type logBuffer struct {
	memory []byte
}

func newLog(wanted bool) (*logBuffer, error) {
	if !wanted {
		return &logBuffer{}, nil
	}
	memory, err := unix.Mmap(-1, 0, maxLog, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	return &logBuffer{memory}, err
}

// text is a copy of what the kernel wrote.
func (l *logBuffer) text() []byte {
	end := bytes.IndexByte(l.memory, 0)
	if end <= 0 {
		return nil
	}
	return bytes.Clone(l.memory[:end])
}

func (l *logBuffer) free() {
	if l.memory != nil {
		_ = unix.Munmap(l.memory) // cannot fail for what Mmap returned
		l.memory = nil
	}
}
