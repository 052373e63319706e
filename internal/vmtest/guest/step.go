//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest/wire"
)

// run runs one step to its end. What it printed has been sent when it returns.
func run(port *port, index int, step wire.Step) *wire.Exit {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(step.Seconds)*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, step.Args[0], step.Args[1:]...)
	cmd.Dir = wire.WorkDir
	cmd.Env = append(os.Environ(), step.Env...)
	cmd.Stdout = output{port, index, false}
	cmd.Stderr = output{port, index, true}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a descendant may keep the pipes open

	start := time.Now()
	err := cmd.Run()
	exit := &wire.Exit{Step: index, Millis: time.Since(start).Milliseconds(), TimedOut: ctx.Err() != nil}
	var exited *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState != nil:
		exit.Code = cmd.ProcessState.ExitCode()
	case errors.As(err, &exited):
		exit.Code = exited.ExitCode()
		if status, ok := exited.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			exit.Code = 128 + int(status.Signal())
		}
	default:
		exit.Code, exit.Error = 127, err.Error()
	}
	return exit
}
