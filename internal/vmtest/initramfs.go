package vmtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Initramfs is an initramfs that a Debian system's own tools make: those of the
// userland SUITE-initramfs of scripts/fetch-userland.
type Initramfs struct {
	Kernel Kernel
	System Userland // "trixie": the suite
	Files  Files    // of the system that it is made on
	Tool   string   // "initramfs-tools", "dracut"
}

// Release is the kernel's, as uname(2) has it and its modules' directory is
// called. Documentation/arch/x86/boot.rst says where an image has it.
func (k Kernel) Release() (string, error) {
	dir, err := k.dir()
	if err != nil {
		return "", err
	}
	image, err := os.ReadFile(filepath.Join(dir, "vmlinuz"))
	if err != nil {
		return "", err
	}
	const pointer = 0x20e
	if len(image) > pointer+2 {
		if at := int(binary.LittleEndian.Uint16(image[pointer:])) + 0x200; at < len(image) {
			text, _, _ := strings.Cut(string(image[at:min(at+256, len(image))]), " ")
			return text, nil
		}
	}
	return "", fmt.Errorf("kernel %s is no image that says its release", k)
}

// tools finds the system that makes images.
func (u Userland) tools() (string, error) { return (u + "-initramfs").dir() }

// Make makes the image in a directory and returns its path. The tools run in a
// copy of their system, as root of a user namespace.
func (i Initramfs) Make(ctx context.Context, dir string) (string, error) {
	tools, err := i.System.tools()
	if err != nil {
		return "", err
	}
	kernel, err := i.Kernel.dir()
	if err != nil {
		return "", err
	}
	release, err := i.Kernel.Release()
	if err != nil {
		return "", err
	}
	files := Files{}
	if err := files.addSystem(tools); err != nil {
		return "", err
	}
	modules := "/usr/lib/modules/" + release
	if err := files.AddTree(modules+"/kernel", filepath.Join(kernel, "modules")); err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "/etc/group": "root:x:0:\n",
		modules + "/modules.order": "", modules + "/modules.builtin": "", modules + "/modules.builtin.modinfo": "",
		// The disk that Machine has; everything would be too much.
		"/etc/initramfs-tools/conf.d/vmtest": "MODULES=list\nCOMPRESS=zstd\n", "/etc/initramfs-tools/modules": "virtio_blk\n",
	} {
		files[name] = File{Data: []byte(text), Mode: 0o644}
	}
	files["/usr/bin/awk"] = File{Data: []byte("mawk"), Mode: os.ModeSymlink} // the maintainer script's
	for name, file := range i.Files {
		files[name] = file
	}
	root := filepath.Join(dir, "root")
	if err := writeTree(root, files); err != nil {
		return "", err
	}
	command := "mkinitramfs -o /image " + release
	if i.Tool == "dracut" {
		command = "dracut --quiet --no-hostonly --no-early-microcode --kver " + release +
			" --modules 'base systemd systemd-initrd fs-lib rootfs-block kernel-modules tbpf' --drivers virtio_blk" +
			" --install /usr/lib/x86_64-linux-gnu/libkmod.so.2 /image" // which systemd opens to load modules
	}
	const enter = `mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run" &&
		PATH=/usr/sbin:/usr/bin exec chroot "$0" /bin/sh -ec "$1"`
	cmd := exec.CommandContext(ctx, "unshare", "-rmpf", "sh", "-c", enter, root, "depmod "+release+"; "+command)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", i.Tool, err, out)
	}
	return filepath.Join(root, "image"), nil
}

// diskSize is room for a system and what tests write.
const diskSize = "512M"

// writeDisk makes a file system of files, for a disk of QEMU's.
func (m Machine) writeDisk(ctx context.Context, dir string, files Files) error {
	tools, err := m.System.tools()
	if err != nil {
		return err
	}
	tree := filepath.Join(dir, "tree")
	if err := writeTree(tree, files); err != nil {
		return err
	}
	// The tools' own dynamic linker runs them where they lie.
	cmd := exec.CommandContext(ctx, "unshare", "-r", filepath.Join(tools, "usr/lib64/ld-linux-x86-64.so.2"),
		"--library-path", filepath.Join(tools, "usr/lib/x86_64-linux-gnu"), filepath.Join(tools, "usr/sbin/mke2fs"),
		"-q", "-F", "-t", "ext4", "-d", tree, filepath.Join(dir, "disk"), diskSize)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mke2fs: %w\n%s", err, out)
	}
	return os.RemoveAll(tree)
}
