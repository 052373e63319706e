// Command tbpf signs BPF objects, verifies what was signed, and loads it into
// the kernel. This package has one file per command and only wires: flags to
// packages, results to package report, errors to exit codes.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/trustedbpf/tbpf/internal/report"
)

func main() {
	// Signals are taken before anything else starts, so that none is missed.
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // by nohup, or by a shell for its background jobs
			signal.Notify(signals, s)
		}
	}

	a := newApp()
	done := make(chan int, 1)
	go func() { done <- a.execute(os.Args[1:]) }()

	select {
	case code := <-done:
		os.Exit(code)
	case s := <-signals:
		code := report.ExitSignal
		if number, ok := s.(syscall.Signal); ok {
			code += int(number)
		}
		// What must be finished or taken down is; a second signal does not wait.
		stopped := make(chan struct{})
		go func() { a.stop(done); close(stopped) }()
		select {
		case <-stopped:
		case <-signals:
		}
		os.Exit(code)
	}
}
