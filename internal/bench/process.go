package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Process is one command line that is run again and again.
type Process struct {
	Name string
	Args []string
	// Prepare runs before each run and is not measured.
	Prepare func() error
}

// Sample is what one run took.
type Sample struct {
	Wall time.Duration // from before the fork to after the wait
	CPU  time.Duration // user and system, of the process and those it waited for
}

// timeout ends a run that hangs. The longest of them takes a tenth of a second.
const timeout = time.Minute

// environment is the same for all: no locale, no settings of anybody's shell.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C"}
}

// Run runs the process once. Its standard output goes nowhere; what it says on
// standard error is in the error if it fails.
func (p *Process) Run() (Sample, error) {
	var s Sample
	err := p.with(func(cmd *exec.Cmd) error {
		start := time.Now()
		if err := cmd.Start(); err != nil {
			return err
		}
		hung := time.AfterFunc(timeout, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		s.Wall = time.Since(start)
		hung.Stop()
		if state := cmd.ProcessState; state != nil {
			s.CPU = state.UserTime() + state.SystemTime()
		}
		return err
	})
	return s, err
}

// with prepares a run, calls run, and words its error.
func (p *Process) with(run func(*exec.Cmd) error) error {
	if p.Prepare != nil {
		if err := p.Prepare(); err != nil {
			return fmt.Errorf("prepare %s: %w", p.Name, err)
		}
	}
	// A file: for a pipe os/exec would start a goroutine that competes with
	// the process for the machine.
	said, err := os.CreateTemp("", "tbpf-bench-stderr-")
	if err != nil {
		return err
	}
	defer os.Remove(said.Name())
	defer said.Close()
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Env = environment()
	cmd.Stderr = said
	if err := run(cmd); err != nil {
		text, readErr := readBack(said)
		return errors.Join(fmt.Errorf("%s (%s): %w\n%s", p.Name, strings.Join(p.Args, " "), err, text), readErr)
	}
	return nil
}

func readBack(f *os.File) ([]byte, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	return bytes.TrimSpace(text), err
}

// output runs a command line that is not measured and returns what it printed.
func output(args ...string) ([]byte, error) {
	cmd := exec.Command(args[0], args[1:]...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return out.Bytes(), nil
}
