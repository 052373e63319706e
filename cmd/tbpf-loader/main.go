//go:build linux

// Command tbpf-loader is the trusted loader: what a machine runs before
// anything else loads BPF. It loads sealed objects by the machine's own policy,
// keyring and rollback floor, each in an unprivileged worker with a BPF token
// for exactly what the object's manifest lists (docs/boot-set.md).
//
// Nothing that its caller says makes it less strict: there is no flag about
// trust, and it starts itself anew with an environment of NOTIFY_SOCKET alone.
// It links no cobra, sigstore, net/http, os/exec or cilium/ebpf; a test compares
// the packages that it links with testdata/tbpf-loader.deps.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/buildinfo"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/trusted"
	"github.com/trustedbpf/tbpf/loader/worker"
)

// Exit codes besides those of errors.
const (
	exitFailed = 1
	exitUsage  = 2
)

// memoryLimit is when the garbage collector begins to work, in bytes: a boot set
// of twenty stays below. The types of the kernel, 6 MB that some loads read, are
// not to be held twice.
const memoryLimit = 8 << 20

const usage = `The trusted loader: loads sealed BPF objects by the machine's own rules.

usage: tbpf-loader boot [--dir DIR]   the boot set, of /etc/tbpf/boot.d or DIR
       tbpf-loader check              whether the machine may start, as boot found it
       tbpf-loader load FILE...       sealed files, pinned beneath /sys/fs/bpf/tbpf
       tbpf-loader version

It goes by /etc/tbpf/policy.toml, /etc/tbpf/keyring.d, /usr/lib/tbpf/keyring.d and
/var/lib/tbpf/floor, which only root may have written. No flag makes it less strict.

exit codes: 0 all is in place; 1 operational; 2 usage; 10 to 17 not verified;
20 to 23 refused by the kernel; boot: 30 an optional object failed, 31 a required
or critical one, 15 and 16 nothing was begun (rollback floor, policy)
`

func main() {
	if worker.Main() {
		return
	}
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run is the command, and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	if err := purge(args); err != nil {
		return complain(stderr, err)
	}
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(-1)
	unix.Umask(0o022)
	if err := unix.Chdir("/"); err != nil {
		return complain(stderr, err)
	}
	c, err := parse(args)
	if err != nil {
		complain(stderr, err)
		fmt.Fprintln(stderr, "tbpf-loader: hint: tbpf-loader --help shows what there is")
		return exitUsage
	}
	switch c.name {
	case "help":
		if _, err := io.WriteString(stdout, usage); err != nil {
			return complain(stderr, err)
		}
		return 0
	case "boot":
		return boot(c.dir, stdout, stderr)
	case "check":
		return check(stderr)
	case "load":
		return load(c.files, stdout, stderr)
	default:
		return version(stdout, stderr)
	}
}

// command is what was asked for.
type command struct {
	name  string
	dir   string   // of boot
	files []string // of load
}

// parse reads the arguments. There is one flag, so that a package for flags
// would be the larger part of this program.
func parse(args []string) (c command, err error) {
	if len(args) < 2 {
		return c, errors.New("no command is given")
	}
	c = command{name: args[1], dir: bootDir}
	rest := args[2:]
	if isHelp(c.name) || len(rest) > 0 && rest[0] != "help" && isHelp(rest[0]) {
		return command{name: "help"}, nil
	}
	switch c.name {
	case "boot":
		if len(rest) == 2 && rest[0] == "--dir" {
			c.dir, rest = rest[1], nil
		} else if len(rest) == 1 && strings.HasPrefix(rest[0], "--dir=") {
			c.dir, rest = strings.TrimPrefix(rest[0], "--dir="), nil
		}
		switch {
		case c.dir == "" || len(rest) == 1 && rest[0] == "--dir":
			return c, errors.New("--dir names no directory")
		case len(rest) > 0:
			return c, fmt.Errorf("boot takes nothing but --dir DIR, and not %q", rest[0])
		}
	case "load":
		c.files = rest
		if len(rest) == 0 {
			return c, errors.New("load needs a file")
		}
		for _, file := range rest {
			if strings.HasPrefix(file, "-") || file == "" {
				return c, fmt.Errorf("load takes files and no flags, and not %q", file)
			}
		}
	case "check", "version", "--version":
		if len(rest) > 0 {
			return c, fmt.Errorf("%s takes nothing, and not %q", c.name, rest[0])
		}
	default:
		return c, fmt.Errorf("there is no command %q", c.name)
	}
	return c, nil
}

func isHelp(s string) bool { return s == "help" || s == "--help" || s == "-h" }

func version(stdout, stderr io.Writer) int {
	info := buildinfo.Read()
	text := "tbpf-loader " + info.Version
	if info.Revision != "" {
		text += " (" + info.Revision + ")"
	}
	digest, guarded, err := trusted.Self()
	if err != nil {
		return complain(stderr, err)
	}
	how := "computed: its file has no fs-verity"
	if guarded {
		how = "fs-verity"
	}
	if _, err := fmt.Fprintf(stdout, "%s %s %s\ndigest %s (%s)\n", text, info.Go, info.Platform, digest, how); err != nil {
		return complain(stderr, err)
	}
	return 0
}

// codedError is an error that has an exit code of its own.
type codedError interface {
	error
	ExitCode() int
}

// complain prints an error, its hint and what a verifier said, and returns the
// error's exit code.
func complain(stderr io.Writer, err error) int {
	for _, line := range messages(err) {
		fmt.Fprintln(stderr, line)
	}
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.ExitCode()
	}
	return exitFailed
}

// messages are the lines that an error gets on standard error. Names in errors
// come from files: what is not printable is escaped.
func messages(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var lines []string
		for _, one := range joined.Unwrap() {
			lines = append(lines, messages(one)...)
		}
		return lines
	}
	lines := []string{"tbpf-loader: error: " + report.Text(err.Error())}
	if hint := hintOf(err); hint != "" {
		lines = append(lines, "tbpf-loader: hint: "+report.Text(hint))
	}
	return lines
}
