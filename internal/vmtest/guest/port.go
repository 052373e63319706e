//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/vmtest/wire"
)

// port is the serial line to the host. Several goroutines may send.
type port struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first failure to send
}

// openPort opens a serial line without the terminal's line discipline, which
// would turn line feeds into two bytes.
func openPort(path string) (*port, error) {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	mode.Iflag, mode.Oflag, mode.Lflag = 0, 0, 0
	mode.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, mode); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := file.WriteString(wire.Start); err != nil {
		return nil, err
	}
	return &port{file: file}, nil
}

func (p *port) send(event wire.Event) {
	line, err := json.Marshal(event)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		_, err = p.file.Write(append(line, '\n'))
	}
	if p.err == nil {
		p.err = err
	}
}

// close waits until the last byte has left.
func (p *port) close() {
	_ = unix.IoctlSetInt(int(p.file.Fd()), unix.TCSBRK, 1) // tcdrain
	_ = p.file.Close()
}

// output is an io.Writer that sends what a step prints.
type output struct {
	port   *port
	step   int
	stderr bool
}

func (o output) Write(data []byte) (int, error) {
	o.port.send(wire.Event{Output: &wire.Output{Step: o.step, Stderr: o.stderr, Data: data}})
	return len(data), nil
}
