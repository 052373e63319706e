//go:build vmguest

package guesttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/loader/worker"
)

// containerFixture names the fixture that a process in a container loads.
const containerFixture = "TBPF_CONTAINER_FIXTURE"

// TestMain is also the start of the container's process, and of workers.
func TestMain(m *testing.M) {
	worker.Main()
	if name := os.Getenv(containerFixture); name != "" {
		if err := container(name); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runContainer starts this test binary in a user namespace of its own, where
// it has no right that the delegation does not give it, to load a fixture. The
// child opens a bpffs, and its parent says what that delegates
// (kernel/bpf/inode.c: only who may delegate sets these options, and only the
// user namespace that opened the file system can make tokens from it).
func runContainer(t *testing.T, name string, d manifest.Delegation) string {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), containerFixture+"="+name)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 1}},
		Credential:  &syscall.Credential{}, // root in there, from before it opens the file system
		Pdeathsig:   syscall.SIGKILL,
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	delegated := delegate(pair[0], d)
	ours.Close() // the child waits no longer
	err = cmd.Wait()
	if delegated != nil {
		t.Fatalf("delegate: %v; child: %v, %s", delegated, err, out.String())
	}
	return strings.TrimSpace(out.String())
}

// delegate receives the child's file system context and configures it.
func delegate(socket int, d manifest.Delegation) error {
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return errors.New("the child sent no descriptor")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	for option, names := range map[string][]string{
		"delegate_cmds": d.Commands, "delegate_maps": d.Maps, "delegate_progs": d.Programs, "delegate_attachs": d.AttachTypes,
	} {
		for _, name := range names { // one by one: fsconfig takes 255 bytes, and adds up
			if err := unix.FsconfigSetString(fds[0], option, name); err != nil {
				return fmt.Errorf("%s=%s: %w", option, name, err)
			}
		}
	}
	if err := unix.FsconfigCreate(fds[0]); err != nil {
		return err
	}
	_, err = unix.Write(socket, []byte{1})
	return err
}

// mountDelegated is the child's part: it returns the bpffs that it was given.
func mountDelegated() (string, error) {
	const socket = 3
	fs, err := unix.Fsopen("bpf", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return "", fmt.Errorf("fsopen: %w", err)
	}
	if err := unix.Sendmsg(socket, []byte{1}, unix.UnixRights(fs), nil, 0); err != nil {
		return "", err
	}
	if n, err := unix.Read(socket, make([]byte, 1)); n != 1 {
		return "", fmt.Errorf("the parent did not configure the file system: %w", err)
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("fsmount: %w", err)
	}
	dir, err := os.MkdirTemp("", "bpffs")
	if err != nil {
		return "", err
	}
	return dir, unix.MoveMount(mount, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
}
