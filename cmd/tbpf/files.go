package main

import (
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/internal/wholefile"
)

// maxInput bounds every file that is read: the largest object and the largest
// seal that there can be.
const maxInput = 2*seal.MaxObject + 1<<10

// readInput reads a file, or standard input for "-".
func (a *app) readInput(path string, limit int64) ([]byte, error) {
	return a.readInputSeen(path, limit, nil)
}

func (a *app) readInputSeen(path string, limit int64, seen wholefile.Seen) ([]byte, error) {
	if path != "-" {
		data, err := wholefile.ReadSeen(path, limit, seen)
		return data, forFile(path, err)
	}
	if term.IsTerminal(int(a.stdin.Fd())) {
		return nil, usage("name a file, or redirect one to standard input", "standard input is a terminal")
	}
	data, err := wholefile.ReadFrom(a.stdin, 0, limit)
	return data, forFile(path, err)
}

// sealedInput is a sealed object, or an object and its detached seal, as it was
// read.
type sealedInput struct {
	file, detached []byte // detached is nil if none was named
	beginning      *seal.Beginning
}

// readSealed reads a sealed object, or an object and its detached seal.
func (a *app) readSealed(path, sealFile string) (in sealedInput, err error) {
	var follower seal.Follower
	in.file, err = a.readInputSeen(path, maxInput, follower.Seen)
	in.beginning = follower.Beginning()
	if err != nil || sealFile == "" {
		return in, err
	}
	in.detached, err = a.readInput(sealFile, maxInput)
	if in.detached == nil {
		in.detached = []byte{} // an empty seal is not the same as none
	}
	return in, err
}

// output is where a command's product goes: a file, or standard output.
type output struct {
	app   *app
	path  string // "-" is standard output
	force bool
	text  bool // may go to a terminal if it is printable
}

// check refuses, before any work is done, what write would refuse.
func (o *output) check() error {
	if o.path == "" {
		return usage("`-` is standard output", "the name of the output file is empty")
	}
	if o.path == "-" {
		if o.app.json {
			return usage("write to a file with -o", "--json and the output itself cannot both go to standard output")
		}
		if !o.text && o.terminal() {
			return binaryToTerminal()
		}
		return nil
	}
	info, err := os.Stat(o.path)
	switch {
	case err != nil:
		return nil // what is wrong with it, writing will tell
	case info.IsDir():
		return forFile(o.path, wholefile.ErrDirectory)
	case info.Mode().IsRegular() && !o.force:
		return forFile(o.path, fs.ErrExist)
	case info.Mode()&fs.ModeCharDevice != 0 && isTerminal(o.path):
		return binaryToTerminal()
	}
	return nil
}

// overwrites returns the one of these files that is also the output: what
// --force must never replace.
func (o *output) overwrites(files ...string) string {
	out, err := os.Stat(o.path)
	if err != nil || !out.Mode().IsRegular() {
		return ""
	}
	for _, path := range files {
		if info, err := os.Stat(path); err == nil && os.SameFile(info, out) {
			return path
		}
	}
	return ""
}

// isTerminal says whether a device is a terminal: /dev/stdout often is.
func isTerminal(path string) bool {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return term.IsTerminal(int(f.Fd()))
}

// write makes the whole file or nothing; a signal waits for it.
func (o *output) write(data []byte) error {
	if o.path == "-" {
		if o.terminal() && !report.Printable(data) {
			return binaryToTerminal()
		}
		_, err := o.app.stdout.Write(data)
		return forFile(standardOutput, err)
	}
	o.app.busy.Lock()
	defer o.app.busy.Unlock()
	return forFile(o.path, wholefile.Write(o.path, data, 0o666, o.force))
}

func (o *output) terminal() bool { return term.IsTerminal(int(o.app.stdout.Fd())) }

func binaryToTerminal() error {
	return usage("write to a file with -o, or redirect standard output", "binary output to a terminal")
}

// flags adds -o and --force.
func (o *output) flags(cmd *cobra.Command, standard string) {
	cmd.Flags().StringVarP(&o.path, "output", "o", standard, "write to `FILE`; - is standard output")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace the output file if it exists")
}

// exists says whether something has this name, be it a dangling link.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// notTwice refuses standard input for two things at once.
func notTwice(flag, value string, files []string) error {
	if value == "-" && slices.Contains(files, "-") {
		return usage("", "%s and FILE cannot both be standard input", flag)
	}
	return nil
}
