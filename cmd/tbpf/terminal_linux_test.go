package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a pseudo terminal.
func openTerminal(t *testing.T) (control, terminal *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { control.Close() })
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return control, terminal
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// TestASignalAtThePasswordPromptPutsTheTerminalBack: a shell whose terminal
// does not echo is a trap.
func TestASignalAtThePasswordPromptPutsTheTerminalBack(t *testing.T) {
	_, terminal := openTerminal(t)
	cmd := exec.Command("tbpf", "keygen", "--name", "release")
	cmd.Dir = t.TempDir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, passwordVariable+"=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); echoes(t, terminal); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the password is asked for with echo, or not at all")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 128+15 {
		t.Errorf("%v, want exit code 143", err)
	}
	if !echoes(t, terminal) {
		t.Error("the terminal does not echo afterwards")
	}
	if files, err := os.ReadDir(cmd.Dir); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v %v", files, err)
	}
}

// TestATerminalGetsNoBinary tries every command that writes what a terminal
// would take for orders.
func TestATerminalGetsNoBinary(t *testing.T) {
	dir := t.TempDir()
	object, err := os.ReadFile(projectDir + "/testdata/fileguard.bpf.o")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/guard.o", object, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"keygen", "--name", "k", "--no-password"},
		{"sign", "guard.o", "--key", "k.key", "--cert", "k.crt"},
	} {
		cmd := exec.Command("tbpf", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, c := range []struct {
		args string
		code int
	}{
		{"strip guard.tbpf -o -", 2},
		{"strip guard.tbpf -o /dev/stdout", 2},
		{"extract guard.tbpf --object", 2},
		{"extract guard.tbpf --kernel-signature bound", 2},
		{"sign guard.o -o - --key k.key --cert k.crt", 2},
		{"verify - --keyring k.crt", 2}, // nothing was redirected to standard input
		{"extract guard.tbpf --manifest", 0},
	} {
		control, terminal := openTerminal(t)
		go io.Copy(io.Discard, control) // a terminal that nobody reads fills up
		cmd := exec.Command("tbpf", strings.Fields(c.args)...)
		cmd.Dir, cmd.Stdin, cmd.Stdout = dir, terminal, terminal
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("tbpf %s: exit code %d (%v), want %d", c.args, code, err, c.code)
		}
	}
}
