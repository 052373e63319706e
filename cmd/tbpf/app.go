package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/trustedbpf/tbpf/internal/buildinfo"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/loader"
)

// app is one run of the command: what it reads, where it writes.
type app struct {
	stdin  *os.File
	stdout *os.File
	stderr io.Writer
	json   bool // --json

	ctx    context.Context // ends with the first signal
	cancel context.CancelFunc
	// busy is held while something must not be cut short by a signal: an
	// output file on its way to its name, an object in the kernel.
	busy sync.Mutex
	// restore puts the terminal back as it was before a password prompt.
	restore func()
	mu      sync.Mutex // guards restore
}

func newApp() *app {
	ctx, cancel := context.WithCancel(context.Background())
	return &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, ctx: ctx, cancel: cancel}
}

// stop returns when the process may end after a signal: at once, or when what
// is busy is done.
func (a *app) stop(done <-chan int) {
	a.cancel()
	a.restoreTerminal()
	free := make(chan struct{})
	go func() { a.busy.Lock(); close(free) }()
	select {
	case <-free:
	case <-done:
	}
}

// execute runs one command line and returns the exit code.
func (a *app) execute(args []string) (code int) {
	defer a.recovered(&code)
	root := newRoot(a, args)
	root.SetArgs(args)
	err := root.ExecuteContext(a.ctx)
	var reported *reportedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &reported):
		return reported.code
	default:
		// Whatever did not come from a command's own work is cobra's: usage.
		a.printError(err, hint(err))
		return report.ExitUsage
	}
}

// recovered turns a panic into an operational error. The runtime's own way out
// is a stack trace and code 2, which means a usage error.
func (a *app) recovered(code *int) {
	if r := recover(); r != nil {
		a.printError(fmt.Errorf("internal error: %v", r), "this is a bug in tbpf; the input that shows it is worth a report")
		*code = report.ExitFailed
	}
}

// reportedError ends a command whose errors were printed.
type reportedError struct{ code int }

func (e *reportedError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// work is what a command does. It returns its document, also beside an error
// where there is something to say, and prints nothing.
type work func(cmd *cobra.Command, args []string) (report.Document, error)

// run makes a command's RunE of its work: it prints the document and the
// errors, and turns the first of them into the exit code. A usage error prints
// nothing on standard output.
func (a *app) run(f work) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := notEmpty(cmd); err != nil {
			return err
		}
		doc, err := f(cmd, args)
		var usage *usageError
		if errors.As(err, &usage) {
			return err
		}
		code := exitCode(err)
		if printErr := a.print(doc, code); printErr != nil {
			err = errors.Join(err, printErr)
			if code == 0 {
				code = report.ExitFailed
			}
		}
		for _, e := range flatten(err) {
			a.printLog(e)
			a.printError(e, hint(e))
		}
		if code != 0 {
			return &reportedError{code}
		}
		return nil
	}
}

// print writes a document to standard output, as JSON where that was asked for.
func (a *app) print(doc report.Document, code int) error {
	if doc == nil {
		return nil
	}
	doc.Exit(code)
	w := bufio.NewWriter(a.stdout)
	var err error
	if a.json {
		err = report.WriteJSON(w, doc)
	} else {
		err = doc.WriteText(w)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return &fileError{Path: standardOutput, Err: err}
	}
	return nil
}

func (a *app) printError(err error, hint string) {
	fmt.Fprintf(a.stderr, "tbpf: error: %s\n", report.Text(err.Error()))
	if hint != "" {
		fmt.Fprintf(a.stderr, "tbpf: hint: %s\n", report.Text(hint))
	}
}

// printLog prints the end of what the kernel's verifier said: there the reason
// stands. With --json all of it is in the document.
func (a *app) printLog(err error) {
	var refused *loader.Error
	if a.json || !errors.As(err, &refused) || len(refused.Log) == 0 {
		return
	}
	lines := strings.Split(strings.TrimRight(report.Lines(string(refused.Log)), "\n"), "\n")
	for _, line := range lines[max(0, len(lines)-logLines):] {
		fmt.Fprintf(a.stderr, "tbpf: log: %s\n", line)
	}
}

// logLines is how many lines of a verifier's log are printed.
const logLines = 20

// notice tells what a person should know although all went well.
func (a *app) notice(text string) {
	fmt.Fprintf(a.stderr, "tbpf: notice: %s\n", report.Text(text))
}

// now is the time that certificates are held against.
func (a *app) now() time.Time { return buildinfo.Clock(time.Now()).UTC() }
