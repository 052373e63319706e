//go:build vmguest

package gatetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attackLoader is A37 too: root uses the trusted loader, or another in its
// place, for what it would not do.
func attackLoader(t *testing.T) {
	attackBinary(t)
	attackProcess(t)
	attackFilter(t)
	attackState(t)
	wantOn(t, "attacks on the loader")
}

func attackBinary(t *testing.T) {
	_, err := os.OpenFile(loaderPath, os.O_WRONLY, 0)
	wantRefused(t, "opening the loader's binary for writing", err)
	wantRefused(t, "truncating it", os.Truncate(loaderPath, 0))
	wantRefused(t, "removing it", os.Remove(loaderPath))
	wantRefused(t, "renaming it", os.Rename(loaderPath, loaderPath+".old"))
	put(t, "/usr/lib/tbpf/another", []byte("#!/bin/true\n"), 0o755)
	wantRefused(t, "replacing it", os.Rename("/usr/lib/tbpf/another", loaderPath))
	must(t, os.Link(loaderPath, "/usr/lib/tbpf/second")) // the same file
	_, err = os.OpenFile("/usr/lib/tbpf/second", os.O_RDWR, 0)
	wantRefused(t, "opening it by another name", err)
}

// attackProcess signals and traces the loader while it works.
func attackProcess(t *testing.T) {
	must(t, command("/bin/tbpf", "status"))
	cmd := exec.Command(loaderPath, "boot")
	out := new(outputFile)
	must(t, out.open())
	cmd.Stdout, cmd.Stderr = out.File, out.File
	must(t, cmd.Start())
	pid := cmd.Process.Pid
	for range 1000 {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe == loaderPath {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for what, err := range map[string]error{
		"killing it":  unix.Kill(pid, unix.SIGKILL),
		"stopping it": unix.Kill(pid, unix.SIGSTOP),
		"tracing it":  unix.PtraceSeize(pid),
	} {
		if errors.Is(err, unix.ESRCH) {
			t.Errorf("%s came too late", what)
			continue
		}
		wantRefused(t, what, err)
	}
	if memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0); err == nil {
		t.Error("its memory was opened")
		_ = memory.Close()
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it did not end as it should: %v\n%s", err, out.text())
	}
	// Signal 0, and others' processes, are none of the gate's business.
	sleeper := exec.Command("/bin/gatetest", "-test.run", "^$")
	must(t, sleeper.Start())
	if err := sleeper.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("another process cannot be killed: %v", err)
	}
	_ = sleeper.Wait()
}

// attackState has the loader read another policy and another floor. Where the
// kernel checks signatures, the keyring decides; elsewhere the loader does.
func attackState(t *testing.T) {
	if signatures() {
		return
	}
	older := read(t, floorPath)
	attackLineage(t) // which loads something new
	floor := read(t, floorPath)
	if bytes.Equal(floor, older) {
		t.Error("the floor was not raised")
	}
	put(t, floorPath, older, 0o600)
	if code, text := run(t, "load", "/usr/lib/tbpf/boot/multi.tbpf"); code != 16 || !has(text, "the rollback floor is not the one") {
		t.Errorf("the floor before the last: exit %d: %s", code, text)
	}
	put(t, floorPath, floor, 0o600)

	good := read(t, "/etc/tbpf/policy.toml")
	put(t, "/etc/tbpf/policy.toml", append([]byte("validity = \"ignore\"\n"), good...), 0o644)
	if code, text := run(t, "load", "/usr/lib/tbpf/boot/multi.tbpf"); code != 16 || !has(text, "not those that the gate was armed with") {
		t.Errorf("another policy: exit %d: %s", code, text)
	}
	put(t, "/etc/tbpf/policy.toml", good, 0o644)
	put(t, "/etc/tbpf/keyring.d/stranger.crt", read(t, "keys/stranger.crt"), 0o644)
	if code, text := run(t, "load", "boot/stranger.tbpf"); code != 16 {
		t.Errorf("another keyring: exit %d: %s", code, text)
	}
	must(t, os.Remove("/etc/tbpf/keyring.d/stranger.crt"))
	must(t, os.Remove(floorPath))
	if code, text := run(t, "load", "/usr/lib/tbpf/boot/multi.tbpf"); code != 16 {
		t.Errorf("no floor: exit %d: %s", code, text)
	}
	put(t, floorPath, floor, 0o600)
}

// outputFile is where a process writes that is looked at later.
type outputFile struct{ *os.File }

func (o *outputFile) open() (err error) {
	o.File, err = os.CreateTemp("", "gatetest")
	return err
}

func (o *outputFile) text() string {
	data, err := os.ReadFile(o.Name())
	if err != nil {
		return err.Error()
	}
	return string(data)
}
