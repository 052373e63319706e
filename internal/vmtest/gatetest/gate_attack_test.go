//go:build vmguest

package gatetest

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// attackGate is A37: root takes the gate down.
func attackGate(t *testing.T, iterator *ebpf.Program) {
	attackLinks(t)
	attackPins(t)
	attackMaps(t)
	attackIterator(t, iterator)
	attackRing(t)
	attackMount(t)
	attackFtrace(t)
	wantOn(t, "attacks on the gate")
}

// bpf is any command.
func bpf(cmd bpfabi.Command, a *attr) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(unsafe.Pointer(a)), unsafe.Sizeof(*a))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// attackLinks detaches and updates every link of the machine.
func attackLinks(t *testing.T) {
	ids, err := bpfsys.LinkIDs()
	must(t, err)
	progs, err := bpfsys.ProgramIDs()
	must(t, err)
	other, err := bpfsys.OpenProgram(progs[0])
	must(t, err)
	defer other.Close()
	for _, id := range ids {
		link, err := bpfsys.OpenLink(id)
		must(t, err)
		detach, update := new(attr), new(attr)
		detach.u32(0, uint32(link.Int()))
		if _, err := bpf(bpfabi.CommandLinkDetach, detach); err == nil {
			t.Errorf("link %d was detached", id)
		}
		update.u32(0, uint32(link.Int()))
		update.u32(4, uint32(other.Int()))
		if _, err := bpf(bpfabi.CommandLinkUpdate, update); err == nil {
			t.Errorf("link %d was updated", id)
		}
		must(t, link.Close())
	}
	wantOn(t, "detaching links")
}

func attackPins(t *testing.T) {
	names, err := filepath.Glob(pins + "/*/*")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d pins, %v", len(names), err)
	}
	for _, name := range names {
		wantRefused(t, "unlinking a pin", os.Remove(name))
		wantRefused(t, "renaming a pin", os.Rename(name, pins+"/x"))
	}
	wantRefused(t, "renaming a directory of pins", os.Rename(pins+"/links", pins+"/x"))
	wantRefused(t, "removing the directory", errors.Join(command("/bin/tbpf", "unload", "gate"), unix.EPERM))
	wantOn(t, "removing pins")
}

// attackMaps writes the gate's maps by every way to them.
func attackMaps(t *testing.T) {
	maps := gateMaps(t)
	if len(maps) != 8 {
		t.Fatalf("%v", maps)
	}
	for name, id := range maps {
		byID := new(attr)
		byID.u32(0, id)
		_, err := bpf(bpfabi.CommandMapGetFDByID, byID)
		wantRefused(t, "opening "+name+" for writing by its id", err)
		write := new(attr)
		write.u32(0, id)
		write.u32(8, 1<<4) // BPF_F_WRONLY
		_, err = bpf(bpfabi.CommandMapGetFDByID, write)
		wantRefused(t, "opening "+name+" for writing alone", err)

		path := append([]byte(pins+"/maps/"+name), 0)
		get := new(attr)
		get.u64(0, uint64(uintptr(unsafe.Pointer(&path[0]))))
		_, err = bpf(bpfabi.CommandObjGet, get)
		runtime.KeepAlive(path)
		wantRefused(t, "opening "+name+" for writing by its pin", err)

		m, err := bpfsys.OpenMap(id) // for reading
		must(t, err)
		info, err := bpfsys.GetMapInfo(m)
		must(t, err)
		value := make([]byte, info.ValueSize)
		wantRefused(t, "updating "+name, bpfsys.UpdateElem(m, make([]byte, info.KeySize), value, 0))
		if memory, err := unix.Mmap(m.Int(), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
			t.Errorf("%s was mapped for writing", name)
			_ = unix.Munmap(memory)
		}
		del := new(attr)
		del.u32(0, uint32(m.Int()))
		key := make([]byte, info.KeySize)
		del.u64(8, uint64(uintptr(unsafe.Pointer(&key[0]))))
		if _, err := bpf(bpfabi.CommandMapDeleteElem, del); err == nil {
			t.Errorf("an entry of %s was deleted", name)
		}
		runtime.KeepAlive(key)
		must(t, m.Close())
	}
	wantOn(t, "writing maps")
}

// attackMount takes the pins' file system away, here and in another namespace.
func attackMount(t *testing.T) {
	for _, place := range []string{pins, "/sys/fs/bpf", "/sys"} {
		if err := unix.Unmount(place, unix.MNT_DETACH); err == nil {
			t.Errorf("%s was unmounted", place)
		}
	}
	wantRefused(t, "mounting over it", unix.Mount("none", pins, "tmpfs", 0, ""))
	wantRefused(t, "making it shared", unix.Mount("", pins, "", unix.MS_SHARED, ""))
	must(t, os.MkdirAll("/tmp/elsewhere", 0o755))
	wantOn(t, "unmounting")
	// Moved, it is a mount as before.
	if err := unix.Mount(pins, "/tmp/elsewhere", "", unix.MS_MOVE, ""); err == nil {
		wantRefused(t, "unmounting it where it was moved to", unix.Unmount("/tmp/elsewhere", unix.MNT_DETACH))
		wantOn(t, "moving it")
		tree, err := unix.OpenTree(unix.AT_FDCWD, "/tmp/elsewhere", 0)
		must(t, err)
		wantRefused(t, "moving it with move_mount", unix.MoveMount(tree, "", unix.AT_FDCWD, pins, unix.MOVE_MOUNT_F_EMPTY_PATH))
		must(t, unix.Close(tree))
		must(t, unix.Mount("/tmp/elsewhere", pins, "", unix.MS_MOVE, ""))
	}

	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // ends with the goroutine: it has another namespace
		done <- elsewhere()
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantOn(t, "unmounting in another namespace")
	if _, err := os.Stat("/sys/kernel/security/lsm"); err != nil { // that went
		must(t, unix.Mount("securityfs", "/sys/kernel/security", "securityfs", 0, ""))
	}

	// mount_setattr is no mount(2), and no security module is asked.
	peers := &unix.MountAttr{Propagation: unix.MS_SHARED}
	if err := unix.MountSetattr(unix.AT_FDCWD, pins, 0, peers); err == nil {
		go func() {
			runtime.LockOSThread()
			done <- elsewhere()
		}()
		if err := <-done; err == nil {
			t.Error("a peer's mount was unmounted in another namespace")
		}
		wantOn(t, "unmounting a peer in another namespace")
		must(t, unix.MountSetattr(unix.AT_FDCWD, pins, 0, &unix.MountAttr{Propagation: unix.MS_PRIVATE}))
	}
}

// elsewhere unmounts /sys in a new mount namespace that passes it on.
func elsewhere() error {
	if err := unix.Mount("", "/sys", "", unix.MS_SHARED, ""); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return err
	}
	return unix.Unmount("/sys", unix.MNT_DETACH)
}

// attackFtrace turns off by what LSM programs are attached.
func attackFtrace(t *testing.T) {
	const file = "/proc/sys/kernel/ftrace_enabled"
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, "turning ftrace off", os.WriteFile(file, []byte("0\n"), 0))
	must(t, os.MkdirAll("/tmp/proc", 0o755))
	must(t, unix.Mount("proc", "/tmp/proc", "proc", 0, ""))
	wantRefused(t, "turning ftrace off by another mount", os.WriteFile("/tmp/proc/sys/kernel/ftrace_enabled", []byte("0\n"), 0))
	must(t, unix.Unmount("/tmp/proc", 0))
	wantOn(t, "turning ftrace off")
}
