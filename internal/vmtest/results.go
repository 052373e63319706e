package vmtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest/wire"
)

// resultsLink is the host's end of the guest's second serial port.
type resultsLink struct {
	path     string
	listener net.Listener
}

func listen(path string) (*resultsLink, error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return &resultsLink{path: path, listener: listener}, nil
}

// close makes receive return where QEMU never connected; a connection ends
// with QEMU itself.
func (l *resultsLink) close() { _ = l.listener.Close() }

// receive fills result until the guest is done.
func (l *resultsLink) receive(m Machine, result *Result) error {
	conn, err := l.listener.Accept()
	if err != nil {
		return errors.New("QEMU ended before it connected")
	}
	defer conn.Close()
	stream := bufio.NewReader(conn)
	if err := skipFirmware(stream); err != nil {
		return err
	}
	decoder := json.NewDecoder(stream)
	for {
		var event wire.Event
		if err := decoder.Decode(&event); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return errors.New("the machine went down in the middle of its plan")
			}
			return fmt.Errorf("results from the guest: %w", err)
		}
		switch {
		case event.Done:
			return nil
		case event.Failed != "":
			return fmt.Errorf("the guest failed: %s", event.Failed)
		case event.Begin != nil:
			result.step(event.Begin.Step)
			if m.Begin != nil {
				m.Begin(event.Begin.Step)
			}
		case event.Output != nil:
			step := result.step(event.Output.Step)
			if event.Output.Stderr {
				step.Stderr = append(step.Stderr, event.Output.Data...)
			} else {
				step.Stdout = append(step.Stdout, event.Output.Data...)
			}
			if m.Output != nil {
				m.Output(event.Output.Step, event.Output.Stderr, event.Output.Data)
			}
		case event.Exit != nil:
			step := result.step(event.Exit.Step)
			step.Code, step.Error, step.TimedOut = event.Exit.Code, event.Exit.Error, event.Exit.TimedOut
			step.Duration = time.Duration(event.Exit.Millis) * time.Millisecond
			step.Ended = true
		}
	}
}

// skipFirmware reads what comes before the guest's first word.
func skipFirmware(stream *bufio.Reader) error {
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			return errors.New("the machine went down before the guest said anything")
		}
		if strings.HasSuffix(line, wire.Start) {
			return nil
		}
	}
}

// step returns the result of step i, which the guest has begun.
func (r *Result) step(i int) *StepResult {
	for len(r.Steps) <= i {
		r.Steps = append(r.Steps, StepResult{})
	}
	return &r.Steps[i]
}
