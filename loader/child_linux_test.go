package loader

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/loader/worker"
)

// childMode is set for the processes that tests start of themselves.
const childMode = "TBPF_LOADER_TEST_CHILD"

func TestMain(m *testing.M) {
	worker.Main()
	switch os.Getenv(childMode) {
	case "":
		os.Exit(m.Run())
	case "container":
		if err := container(os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "killed":
		if err := killed(os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// child prepares this test binary as another process.
func child(t *testing.T, mode string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), childMode+"="+mode)
	return cmd
}

// delegation is what a bpffs delegates.
type delegation struct{ commands, maps, programs, attachs string }

// enough is what the loader program written by hand needs.
func enough() delegation {
	return delegation{"map_create:prog_load", "array", "syscall:xdp", "cgroup_inet_ingress:xdp"}
}

// runContainer starts a process in a user namespace of its own, gives it a
// bpffs with the delegation, and returns what it wrote. The child opens the file
// system and the parent, which may delegate, configures it.
func runContainer(t *testing.T, d delegation, job string) string {
	t.Helper()
	needBPF(t)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd := child(t, "container", job)
	cmd.Dir = t.TempDir()
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		Credential:  &syscall.Credential{}, // without it the child has no capability over the file system's context
		Pdeathsig:   syscall.SIGKILL,
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("no user namespace can be made: %v", err)
	}
	theirs.Close()
	delegateErr := delegate(pair[0], d)
	err = cmd.Wait()
	if delegateErr != nil {
		t.Fatalf("delegate: %v; child: %v, %s", delegateErr, err, out.String())
	}
	return strings.TrimSpace(out.String())
}

// delegate receives the child's file system context and configures it.
func delegate(socket int, d delegation) error {
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
	for key, value := range map[string]string{"delegate_cmds": d.commands, "delegate_maps": d.maps, "delegate_progs": d.programs, "delegate_attachs": d.attachs} {
		if value == "" {
			continue
		}
		if err := unix.FsconfigSetString(fds[0], key, value); err != nil {
			return fmt.Errorf("%s=%s: %w", key, value, err)
		}
	}
	if err := unix.FsconfigCreate(fds[0]); err != nil {
		return err
	}
	_, err = unix.Write(socket, []byte{1})
	return err
}

// container is the child: it mounts its bpffs, does one job in it and says how
// that went.
func container(job string) error {
	const socket = 3
	fs, err := unix.Fsopen("bpf", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(socket, []byte{1}, unix.UnixRights(fs), nil, 0); err != nil {
		return err
	}
	if _, err := unix.Read(socket, make([]byte, 1)); err != nil {
		return err
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, "bpffs")
	if err := errors.Join(os.Mkdir(dir, 0o700), unix.MoveMount(mount, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)); err != nil {
		return err
	}
	x := newMini()
	x.token = true
	x.m.Delegation.Commands = []string{"map_create", "prog_load"}
	x.m.Delegation.Maps = []string{"array"}
	x.m.Delegation.Programs = []string{"xdp", "syscall"}
	x.m.Delegation.AttachTypes = []string{"cgroup_inet_ingress", "xdp"}
	opt := Options{BPFFS: dir, KernelVerify: IfAvailable}
	switch job {
	case "pin":
		opt.Pin = filepath.Join(dir, "pins")
	case "subdirectory":
		opt.BPFFS = filepath.Join(dir, "pins")
		if err := os.Mkdir(opt.BPFFS, 0o700); err != nil {
			return err
		}
	case "no token":
		opt.BPFFS = ""
	case "unknown":
		x.m.Delegation.Commands = []string{"map_destroy"}
	}
	l, err := load(oldKernel{}, sealedBy(x), opt)
	if err != nil {
		e := asError(err)
		fmt.Printf("%s %s: %v\n", e.Verdict(), e.Reason, e)
		return nil
	}
	r := l.Report()
	fmt.Printf("loaded token=%t pins=%d\n", r.Token, len(r.Pins))
	for _, notice := range l.Notices() {
		fmt.Println(notice)
	}
	if opt.Pin == "" {
		return l.Close()
	}
	status, err := Status(opt.Pin)
	if err != nil || len(status) != 1 || !status[0].Token {
		return fmt.Errorf("status %+v, %w", status, err)
	}
	return errors.Join(Unload(opt.Pin, r.Name), l.Close())
}

// killed is a child that dies when everything is pinned and nothing published.
func killed(dir string) error {
	l, err := load(oldKernel{}, sealedBy(newMini()), Options{KernelVerify: IfAvailable})
	if err != nil {
		return err
	}
	return onOtherThread(func() error {
		s, err := newStage(dir, "mini", false)
		if err != nil {
			return err
		}
		if err := s.enter(); err != nil {
			return err
		}
		if err := errors.Join(os.Mkdir("maps", 0o700), bpfsys.Pin(l.maps["counts"], "maps/counts")); err != nil {
			return err
		}
		fmt.Println(l.Report().Maps[0].ID)
		return unix.Kill(unix.Getpid(), unix.SIGKILL)
	})
}
