package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/keys"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tbpf": main, keylessProgram: fakeKeyless})
}

// fakeKeyless stands for tbpf-keyless, which is a module of its own with tests of
// its own: a bundle is what it would print, or something that it refuses.
func fakeKeyless() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil || !strings.HasPrefix(string(data), "{") {
		fmt.Fprintln(os.Stderr, "tbpf-keyless: error: no bundle\x1b[1m")
		os.Exit(1)
	}
	fmt.Print(strings.ReplaceAll(string(data), "ARGS", strings.Join(os.Args[2:], " ")+strings.Join(os.Environ(), " ")))
}

// TestScripts runs testdata/script: each file shows one command as a person
// uses it. Besides testscript's own commands there are
//
//	exits CODE tbpf ARG...    the command ends with this code and keeps the rules of errors
//	json PATH VALUE           standard output is a document of its schema, with this value;
//	                          "count" is an array's length, and of what is not there "(absent)"
//	flip FILE OFFSET          changes one bit; a negative offset counts from the end
//	truncate FILE SIZE        a negative size counts from the end
//	floor FILE NAME CERT VERSION [TIME]
//	                          writes a rollback floor with one entry, and the Unix time at which it was written
//	fixture NAME...           copies objects from the project's testdata
//	bpffs DIR                 mounts a bpffs of the script's own
//	signal NAME CODE tbpf ARG...
//	                          sends the signal once something is on standard output,
//	                          and wants this exit code
//
// and the condition [root], with which programs can be loaded.
func TestScripts(t *testing.T) {
	objects, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		ContinueOnError:     true,
		RequireExplicitExec: false,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TESTDATA", objects)
			env.Setenv("SOURCE_DATE_EPOCH", "1790000000")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"json":     jsonValue,
			"flip":     flip,
			"truncate": truncate,
			"fixture":  fixture,
			"floor":    writeFloor,
			"bpffs":    mountBPFFS,
			"signal":   signalled,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" { // and so may load BPF programs
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// messages are the lines that standard error may have.
var messages = regexp.MustCompile(`^tbpf: (error|hint|notice|log): .`)

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
	checkMessages(ts, code)
}

// checkMessages holds what is printed against the rules for every command.
func checkMessages(ts *testscript.TestScript, code int) {
	found := 0
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if !messages.MatchString(line) {
			ts.Fatalf("standard error has the line %q", line)
		}
		if strings.HasPrefix(line, "tbpf: error: ") {
			found++
		}
	}
	if (found > 0) != (code != 0) {
		ts.Fatalf("exit code %d with %d error lines", code, found)
	}
	if code == 2 && ts.ReadFile("stdout") != "" {
		ts.Fatalf("a usage error with something on standard output")
	}
}

func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH VALUE")
	}
	var doc any
	out := ts.ReadFile("stdout")
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		ts.Fatalf("standard output is no JSON document: %v", err)
	}
	if err := checkSchema([]byte(out)); err != nil {
		ts.Fatalf("%v", err)
	}
	got := "(absent)"
	if v, ok := find(doc, strings.Split(args[0], ".")); ok {
		raw, err := json.Marshal(v)
		ts.Check(err)
		if got = string(raw); strings.HasPrefix(got, `"`) {
			got = v.(string)
		}
	}
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

func find(v any, path []string) (any, bool) {
	if len(path) == 0 {
		return v, true
	}
	switch v := v.(type) {
	case map[string]any:
		next, ok := v[path[0]]
		if !ok {
			return nil, false
		}
		return find(next, path[1:])
	case []any:
		if path[0] == "count" {
			return len(v), len(path) == 1
		}
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(v) {
			return find(v[i], path[1:])
		}
	}
	return nil, false
}

func signalled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: signal NAME CODE COMMAND ARG...")
	}
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Stderr = ts.Stderr()
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	// Under nohup the signal is ignored here, and a child would ignore it as
	// well. What is caught here has its default effect in a child.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, signals[args[0]])
	defer signal.Stop(caught)
	ts.Check(cmd.Start())
	buf := make([]byte, 4096)
	n, _ := out.Read(buf)
	fmt.Fprintf(ts.Stdout(), "%s", buf[:n])
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	io.Copy(io.Discard, out)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("%v, want exit code %d", err, want)
	}
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[offset(ts, args[1], len(data))] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE SIZE")
	}
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	ts.Check(os.Truncate(path, int64(offset(ts, args[1], int(info.Size())))))
}

func offset(ts *testscript.TestScript, arg string, size int) int {
	n, err := strconv.Atoi(arg)
	ts.Check(err)
	if n < 0 {
		n += size
	}
	if n < 0 || n > size {
		ts.Fatalf("offset %s of a file of %d bytes", arg, size)
	}
	return n
}

func writeFloor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: floor FILE NAME CERT VERSION [TIME]")
	}
	ring, err := keys.LoadKeyring([]string{ts.MkAbs(args[2])})
	ts.Check(err)
	version, err := strconv.ParseUint(args[3], 10, 64)
	ts.Check(err)
	s := floor.State{Time: time.Unix(0, 0)}
	if len(args) > 4 {
		seconds, err := strconv.ParseInt(args[4], 10, 64)
		ts.Check(err)
		s.Time = time.Unix(seconds, 0)
	}
	s.Raise(args[1], []keys.ID{ring.Keys()[0].ID}, version)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), s.Encode(), 0o644))
}

func fixture(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		data, err := os.ReadFile(filepath.Join(ts.Getenv("TESTDATA"), name))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(filepath.Base(name)), data, 0o644))
	}
}

// documentCommand is the command that a document is of.
func documentCommand(document []byte) (string, error) {
	var head struct {
		SchemaVersion int    `json:"schemaVersion"`
		Command       string `json:"command"`
	}
	if err := json.Unmarshal(document, &head); err != nil {
		return "", err
	}
	if head.SchemaVersion != 1 || head.Command == "" {
		return "", fmt.Errorf("schemaVersion %d, command %q", head.SchemaVersion, head.Command)
	}
	return head.Command, nil
}
