package vmtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// revokedList is a machine's revocation list.
const revokedList = "/etc/tbpf/revoked.d/fleet.revoked"

const initramfsTools, dracut = "initramfs-tools", "dracut"

// TestInitramfs makes an initramfs with each tool, as docs/boot.md says, and
// boots a Debian system from a disk with it: the set is up before anything of
// the root file system runs, and the unit there finds it in place.
func TestInitramfs(t *testing.T) {
	const kernel = "7.3"
	vmtest.Require(t, kernel)
	vmtest.RequireInitramfs(t, "trixie")
	long := os.Getenv("TBPF_LONG") != ""
	signed := signBootSet(t)
	t.Run(initramfsTools, func(t *testing.T) { t.Parallel(); wholeInitramfs(t, kernel, initramfsTools, signed) })
	if !long {
		return
	}
	t.Run(dracut, func(t *testing.T) { t.Parallel(); wholeInitramfs(t, kernel, dracut, signed) })
	t.Run(initramfsTools+"/damaged", func(t *testing.T) { t.Parallel(); damagedInitramfs(t, kernel, initramfsTools, signed) })
	t.Run(dracut+"/damaged", func(t *testing.T) { t.Parallel(); damagedInitramfs(t, kernel, dracut, signed) })
	t.Run("6.12", func(t *testing.T) {
		t.Parallel()
		vmtest.Require(t, "6.12")
		wholeInitramfs(t, "6.12", initramfsTools, signed)
	})
}

// image makes an initramfs of a machine with these files.
func image(t *testing.T, kernel vmtest.Kernel, tool string, files vmtest.Files) string {
	t.Helper()
	all := vmtest.Files{}
	for name, file := range files {
		all[name] = file
	}
	for host, guest := range map[string]string{
		"initramfs-tools/hooks/tbpf":               "/usr/share/initramfs-tools/hooks/tbpf",
		"initramfs-tools/scripts/init-bottom/tbpf": "/usr/share/initramfs-tools/scripts/init-bottom/tbpf",
		"dracut/90tbpf/module-setup.sh":            "/usr/lib/dracut/modules.d/90tbpf/module-setup.sh",
	} {
		all[guest] = vmtest.File{Host: filepath.Join("..", "..", "packaging", host)}
	}
	path, err := vmtest.Initramfs{Kernel: kernel, System: "trixie", Files: all, Tool: tool}.Make(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// onDisk are the files of a machine whose root file system is on a disk.
func onDisk(t *testing.T, kernel vmtest.Kernel, signed vmtest.Files) vmtest.Files {
	files := installed(t, kernel, signed)
	files["/etc/fstab"] = vmtest.File{Data: []byte("/dev/vda / ext4 defaults 0 0\n"), Mode: 0o644}
	return files
}

// wholeInitramfs: everything is loaded by the initramfs, and stays.
func wholeInitramfs(t *testing.T, kernel vmtest.Kernel, tool string, signed vmtest.Files) {
	files := onDisk(t, kernel, signed)
	// With this policy the initramfs loads nothing unless it has the list.
	files[revokedList] = signed["lists/fleet-1.revoked"]
	rules := files["/etc/tbpf/policy.toml"]
	rules.Data = append(rules.Data[:len(rules.Data):len(rules.Data)], "[revocation]\nrequired = true\n"...)
	files["/etc/tbpf/policy.toml"] = rules
	result := vmtest.Boot(t, vmtest.Machine{
		Kernel: kernel, System: "trixie", Files: files, Initrd: image(t, kernel, tool, files), Timeout: 6 * time.Minute,
		Steps: []vmtest.Step{
			{Args: []string{"tbpf", "status"}},
			{Args: []string{"journalctl", "--no-pager", "--output=cat", "--unit", loaderUnit}},
			{Args: []string{"systemctl", "show", "--property=ActiveState", loaderUnit, stopUnit, "multi-user.target"}},
			{Args: []string{"/usr/lib/tbpf/tbpf-loader", "check"}},
			{Args: []string{"tbpf", "verify", objectDir + "fileguard.tbpf", "--floor", "/var/lib/tbpf/floor", "--revocations", revokedList}},
		},
	})
	out := make([]string, len(result.Steps))
	for i, step := range result.Steps {
		out[i] = string(step.Stdout) + string(step.Stderr)
		t.Logf("%d:\n%s", i, out[i])
	}
	for _, name := range bootObjects {
		if !strings.Contains(out[0], "/sys/fs/bpf/tbpf/"+name) {
			t.Errorf("%s is not loaded", name)
		}
		// This unit's run is that of the root file system. What it finds in place
		// was there before.
		if !strings.Contains(out[1], ": "+name+": unchanged") {
			t.Errorf("%s was not in place when the root file system's loader ran", name)
		}
	}
	if strings.Contains(out[0], "no record") {
		t.Error("the initramfs' record did not survive")
	}
	if strings.Count(out[2], "ActiveState=active") != 3 {
		t.Error("not everything is up")
	}
	if result.Steps[4].Code != 0 {
		t.Error("the root file system has no floor")
	}
}

// damagedInitramfs: what the initramfs does not get up stops the boot there.
func damagedInitramfs(t *testing.T, kernel vmtest.Kernel, tool string, signed vmtest.Files) {
	files := onDisk(t, kernel, signed)
	damaged := vmtest.Files{}
	for name, file := range files {
		damaged[name] = file
	}
	damage(t, damaged, "xdpcount", "critical")
	// The root file system's own set is whole: nothing of it may be reached.
	result, err := vmtest.Machine{
		Kernel: kernel, System: "trixie", Files: files, Initrd: image(t, kernel, tool, damaged), Timeout: 2 * time.Minute,
		Steps: []vmtest.Step{{Args: []string{"tbpf", "status"}}},
	}.Run(t.Context())
	console := string(result.Console)
	if err == nil || len(result.Steps) > 0 {
		t.Fatalf("the machine came up\n%s", console)
	}
	if want := "tbpf: the policy does not let the machine start"; tool == initramfsTools && !strings.Contains(console, want) {
		t.Errorf("the initramfs does not say %q:\n%s", want, console)
	}
	// This image has no emergency.service: nothing but the switch itself stops it.
	if want := "Failed to start \x1b[0;1;39minitrd-switch-root.service"; tool == dracut && !strings.Contains(console, want) {
		t.Errorf("the initramfs does not say %q:\n%s", want, console)
	}
}
