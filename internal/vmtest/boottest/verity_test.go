//go:build vmguest

package boottest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/fsverity"
)

// verityDisk mounts a new ext4 with fs-verity and returns where. The image is in
// a file, so that blocks can be changed below the file system.
func verityDisk(t *testing.T) (mount, image string) {
	t.Helper()
	image = filepath.Join(t.TempDir(), "disk")
	must(t, os.WriteFile(image, read(t, "verity.ext4"), 0o600))
	mount = t.TempDir()
	attach(t, image, mount)
	return mount, image
}

// attach mounts an image by a loop device.
func attach(t *testing.T, image, mount string) {
	t.Helper()
	control, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(control)
	n, err := unix.IoctlRetInt(control, unix.LOOP_CTL_GET_FREE)
	must(t, err)
	name := "/dev/loop" + string(rune('0'+n))
	device, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(device)
	backing, err := unix.Open(image, unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(backing)
	must(t, unix.IoctlSetInt(device, unix.LOOP_SET_FD, backing))
	must(t, unix.Mount(name, mount, "ext4", 0, ""))
	t.Cleanup(func() {
		_ = unix.Unmount(mount, unix.MNT_DETACH)
		if fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
			_ = unix.IoctlSetInt(fd, unix.LOOP_CLR_FD, 0)
			unix.Close(fd)
		}
	})
}

// install copies the loader to a disk and enables fs-verity.
func install(t *testing.T, path string, signature []byte) error {
	t.Helper()
	must(t, os.WriteFile(path, read(t, "/bin/tbpf-loader"), 0o755))
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	return fsverity.Enable(int(f.Fd()), signature)
}

// digestLine is what a loader says of itself.
func digestLine(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command(path, "version").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, line, _ := strings.Cut(strings.TrimSpace(string(out)), "\ndigest ")
	return line
}

// The kernel's digest of the loader is the one that sign-loader printed, and
// that of a loader on a file system without fs-verity.
func TestTheLoaderKnowsItsDigest(t *testing.T) {
	disk, _ := verityDisk(t)
	path := disk + "/tbpf-loader"
	must(t, install(t, path, nil))
	want := strings.TrimSpace(string(read(t, "keys/loader.digest")))
	if got := digestLine(t, path); got != want+" (fs-verity)" {
		t.Errorf("with fs-verity: %s, want %s", got, want)
	}
	if got := digestLine(t, "/bin/tbpf-loader"); got != want+" (computed: its file has no fs-verity)" {
		t.Errorf("without: %s, want %s", got, want)
	}
}

// One byte of the loader that is changed below the file system is not read, and
// so the loader does not run.
func TestALoaderChangedByOneByteDoesNotRun(t *testing.T) {
	disk, image := verityDisk(t)
	path := disk + "/tbpf-loader"
	must(t, install(t, path, nil))
	if err := os.WriteFile(path, []byte("x"), 0o755); !errors.Is(err, unix.EPERM) {
		t.Errorf("the file was opened for writing: %v", err)
	}
	unix.Sync()
	must(t, unix.Unmount(disk, 0))
	loader := read(t, "/bin/tbpf-loader")
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	must(t, err)
	all, err := io.ReadAll(f)
	must(t, err)
	block := len(loader) / 4096 / 2 * 4096
	at := bytes.Index(all, loader[block:block+4096])
	if at < 0 {
		t.Fatal("the loader's block is not on the disk")
	}
	_, err = f.WriteAt([]byte{loader[block+100] ^ 1}, int64(at+100))
	must(t, err)
	first := bytes.Index(all, loader[:4096])
	_, err = f.WriteAt([]byte{loader[200] ^ 1}, int64(first+200))
	must(t, errors.Join(err, f.Sync(), f.Close()))
	again := t.TempDir()
	attach(t, image, again)
	if data, err := os.ReadFile(again + "/tbpf-loader"); !errors.Is(err, unix.EIO) {
		t.Errorf("%d bytes were read: %v", len(data), err)
	}
	if out, err := exec.Command(again+"/tbpf-loader", "version").CombinedOutput(); err == nil {
		t.Errorf("it ran: %s", out)
	}
}

// verityKeyring is the serial number of the kernel's keyring .fs-verity, which
// /proc/keys lists.
func verityKeyring(t *testing.T) int {
	t.Helper()
	return systemKeyring(t, ".fs-verity")
}

// With a certificate in .fs-verity and fs.verity.require_signatures the kernel
// opens a signed loader, and no other. It is the last test of its kind: what is
// in the keyring stays.
func TestTheKernelAsksForTheLoadersSignature(t *testing.T) {
	const sysctl = "/proc/sys/fs/verity/require_signatures"
	disk, image := verityDisk(t)
	unsigned, signed := disk+"/unsigned", disk+"/signed"
	must(t, install(t, unsigned, nil))
	if err := install(t, disk+"/try", read(t, "keys/loader.p7s")); !errors.Is(err, unix.ENOKEY) && !errors.Is(err, unix.EKEYREJECTED) {
		t.Errorf("a signature is taken without a certificate: %v", err)
	}
	ring := verityKeyring(t)
	if _, err := unix.AddKey("asymmetric", "tbpf", read(t, "keys/loader.der"), ring); err != nil {
		if os.Getenv("TBPF_KERNEL") == "6.1" && errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOPKG) {
			t.Skipf("this kernel takes no such certificate: %v", err)
		}
		t.Fatal(err)
	}
	must(t, install(t, signed, read(t, "keys/loader.p7s")))
	if err := install(t, disk+"/try", read(t, "keys/loader-stranger.p7s")); !errors.Is(err, unix.ENOKEY) {
		t.Errorf("a stranger's signature is taken: %v", err)
	}
	bad := read(t, "keys/loader.p7s")
	bad[len(bad)-1] ^= 1
	if err := install(t, disk+"/try", bad); !errors.Is(err, unix.EKEYREJECTED) && !errors.Is(err, unix.EBADMSG) {
		t.Errorf("a wrong signature is taken: %v", err)
	}
	must(t, os.WriteFile(sysctl, []byte("1"), 0))
	t.Cleanup(func() { _ = os.WriteFile(sysctl, []byte("0"), 0) })
	if err := install(t, disk+"/try", nil); !errors.Is(err, unix.EPERM) {
		t.Errorf("fs-verity without a signature: %v", err)
	}
	// What the kernel has in memory it looked at before: look anew.
	must(t, unix.Unmount(disk, 0))
	attach(t, image, disk)
	if _, err := os.ReadFile(unsigned); !errors.Is(err, unix.EPERM) {
		t.Errorf("an unsigned loader is opened: %v", err)
	}
	if out, err := exec.Command(unsigned, "version").CombinedOutput(); err == nil {
		t.Errorf("an unsigned loader ran: %s", out)
	}
	if got := digestLine(t, signed); !strings.HasSuffix(got, " (fs-verity)") {
		t.Errorf("the signed one says %s", got)
	}
}

// The policy's pin holds in every command that works by the policy.
func TestThePolicyPinsTheLoader(t *testing.T) {
	machine(t)
	file := object(t, 10, "ringbuf-1", "ringbuf")
	own := strings.TrimSpace(string(read(t, "keys/loader.digest")))
	other := own[:len(own)-1] + string("0123456789abcdef0"[strings.IndexByte("0123456789abcdef", own[len(own)-1])+1])
	policy(t, "", "[loader]\ndigest = [\""+other+"\"]\n")
	boot(t).want(t, 16, false, "the policy pins another loader: this one is "+own)
	loader(t, "load", file).want(t, 16, false, "the policy pins another loader")
	policy(t, "", "[loader]\ndigest = []\n")
	boot(t).want(t, 16, false, "the policy pins another loader")
	policy(t, "", "[loader]\ndigest = [\""+other+"\", \""+own+"\"]\n")
	boot(t).want(t, 0, true, "ringbuf: loaded")
	// A copy with other bytes is another loader, whatever its name.
	changed := filepath.Join(t.TempDir(), "tbpf-loader")
	must(t, os.WriteFile(changed, append(read(t, "/bin/tbpf-loader"), 0), 0o755))
	cmd := exec.Command(changed, "load", file)
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 16 {
		t.Errorf("exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}

// systemKeyring finds one of the kernel's own keyrings.
func systemKeyring(t *testing.T, name string) int {
	t.Helper()
	for line := range strings.Lines(string(read(t, "/proc/keys"))) {
		f := strings.Fields(line)
		if len(f) >= 9 && f[7] == "keyring" && f[8] == name+":" {
			var id int
			for _, c := range []byte(f[0]) {
				id = id<<4 | strings.IndexByte("0123456789abcdef", c)
			}
			return id
		}
	}
	t.Skipf("this kernel has no keyring %s", name)
	return 0
}
