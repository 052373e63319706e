//go:build vmguest

// These tests look at a whole machine, as a user does, and break it piece by
// piece: they run in virtual machines only.
package doctor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// page is what `tbpf doctor --json` prints.
type page struct {
	ExitCode int
	Checks   []struct {
		ID, Subject, Status, Finding, Remedy string
		ExitCode                             int
	}
}

// of returns the status of an item, "id" or "id subject".
func (p page) of(item string) string {
	for _, c := range p.Checks {
		if strings.TrimSpace(c.ID+" "+c.Subject) == item {
			return c.Status
		}
	}
	return "(absent)"
}

func (p page) String() string {
	var b strings.Builder
	for _, c := range p.Checks {
		fmt.Fprintf(&b, "%s %s %s: %s -> %s\n", c.Status, c.ID, c.Subject, c.Finding, c.Remedy)
	}
	return b.String()
}

// doctor runs the command, as another user if uid is not 0.
func doctor(t *testing.T, uid uint32) page {
	t.Helper()
	cmd := exec.Command("/bin/tbpf", "doctor", "--json")
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	var p page
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	if code := cmd.ProcessState.ExitCode(); code != p.ExitCode {
		t.Errorf("exit code %d, and the document says %d", code, p.ExitCode)
	}
	return p
}

// want holds items against what they should be.
func (p page) want(t *testing.T, code int, items map[string]string) {
	t.Helper()
	failed := p.ExitCode != code
	if failed {
		t.Errorf("exit code %d, want %d", p.ExitCode, code)
	}
	for _, item := range slices.Sorted(maps.Keys(items)) {
		if got := p.of(item); got != items[item] {
			t.Errorf("%s is %s, want %s", item, got, items[item])
			failed = true
		}
	}
	if failed {
		t.Logf("the page:\n%v", p)
	}
}

func kernel() string { return os.Getenv("TBPF_KERNEL") }

// profiles are what kernels take.
var profiles = map[string]string{"6.18": "selfcheck", "7.2": "selfcheck-excl", "7.3": "bound"}

const (
	policyFile  = "/etc/tbpf/policy.toml"
	keyringFile = "/etc/tbpf/keyring.d/suite.crt"
)

// write makes a file with its directories.
func write(t *testing.T, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, data, mode)
}

// healthy makes a machine with which nothing is wrong, for the length of a test.
func healthy(t *testing.T) {
	t.Helper()
	policy := "kernel-verify = \"if-available\"\n"
	if profiles[kernel()] != "" {
		policy = ""
	}
	write(t, policyFile, []byte(policy), 0o644)
	copyFile(t, "keys/suite.crt", keyringFile, 0o644)
	copyFile(t, "/bin/tbpf-loader", "/usr/lib/tbpf/tbpf-loader", 0o755)
	bootObject(t, "whole", "/w/all.tbpf")
	t.Cleanup(func() {
		for _, dir := range []string{"/etc/tbpf", "/usr/lib/tbpf", "/boot", "/var/lib/tbpf"} {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		}
	})
}

// bootObject puts a file into the boot set, under the name that it was signed
// with.
func bootObject(t *testing.T, name, file string) {
	t.Helper()
	target := "/boot/" + name + ".tbpf"
	copyFile(t, file, target, 0o644)
	write(t, "/etc/tbpf/boot.d/50-"+name+".toml", fmt.Appendf(nil, "file = %q\nname = %q\n", target, name), 0o644)
}

// first is what a healthy machine has: limits, and no problem.
func first() map[string]string {
	items := map[string]string{
		"kernel": "ok", "lsm": "ok", "btf": "ok", "signatures": "ok", "kernel-keyrings": "ok", "tokens": "ok",
		"bpffs": "ok", "lockdown": "limited", "loader": "ok", "fs-verity": "limited", "policy": "ok", "keyring": "ok",
		"rollback-floor": "ok", "boot-set": "ok", "object whole": "ok",
	}
	if profiles[kernel()] == "" {
		items["signatures"] = "limited"
	}
	if kernel() == "6.1" {
		items["tokens"] = "limited"
	}
	return items
}

func TestAHealthyMachineHasNoProblems(t *testing.T) {
	healthy(t)
	p := doctor(t, 0)
	p.want(t, 0, first())
	if profile := profiles[kernel()]; profile != "" && !strings.Contains(p.String(), "the kernel checks signatures of BPF programs, profile "+profile) {
		t.Errorf("profile %s is not said:\n%v", profile, p)
	}
}

// A map's number is never given twice: had anything been made, the next one
// would not follow.
func TestNothingIsChanged(t *testing.T) {
	healthy(t)
	tree := func() string {
		var b strings.Builder
		for _, dir := range []string{"/etc", "/usr", "/run", "/var", "/tmp", "/sys/fs/bpf", "/boot"} {
			err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
				if errors.Is(err, os.ErrNotExist) {
					return nil
				}
				info, err := entry.Info()
				if err == nil {
					fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime())
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}
	before, id := tree(), newMapID(t)
	for _, uid := range []uint32{0, 1000} {
		doctor(t, uid)
	}
	if next := newMapID(t); next != id+1 {
		t.Errorf("map %d, then map %d: something was made between them", id, next)
	}
	if after := tree(); after != before {
		t.Errorf("files before:\n%s\nafter:\n%s", before, after)
	}
}

func newMapID(t *testing.T) uint32 {
	t.Helper()
	m, err := bpfsys.CreateMap(bpfsys.MapSpec{Name: "count", Type: bpfabi.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	info, err := bpfsys.GetMapInfo(m)
	if err != nil {
		t.Fatal(err)
	}
	return info.ID
}

// Who may not see something is told so, and told nothing else: each item is as
// root sees it, or unknown.
func TestWithoutPrivilegesNothingIsMisread(t *testing.T) {
	healthy(t)
	for name, change := range map[string]func(){
		"healthy":        func() {},
		"without policy": func() { os.Remove(policyFile) },
		"hidden policy":  func() { write(t, policyFile, nil, 0o600) },
		"hidden keyring": func() { os.Chmod(filepath.Dir(keyringFile), 0o700) },
		"hidden object":  func() { os.Chmod("/boot/whole.tbpf", 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			healthy(t)
			change()
			root, other := doctor(t, 0), doctor(t, 1000)
			unknown := 0
			for _, c := range other.Checks {
				item := strings.TrimSpace(c.ID + " " + c.Subject)
				if c.Status == "unknown" {
					unknown++
				} else if c.Status != root.of(item) {
					t.Errorf("%s is %s, and root sees %s", item, c.Status, root.of(item))
				}
			}
			if unknown == 0 || other.ExitCode == 0 {
				t.Errorf("%d unknown, exit code %d:\n%v", unknown, other.ExitCode, other)
			}
		})
	}
}

// Each thing that is broken shows as itself.
func TestWhatIsBrokenIsNamed(t *testing.T) {
	run := func(name string, code int, items map[string]string, change func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			healthy(t)
			change(t)
			doctor(t, 0).want(t, code, items)
		})
	}
	run("no bpffs", 23, map[string]string{"bpffs": "problem"}, func(t *testing.T) { unmount(t, "/sys/fs/bpf", "bpf", "mode=700") })
	run("bpffs for everybody", 0, map[string]string{"bpffs": "limited"}, func(t *testing.T) {
		os.Chmod("/sys/fs/bpf", 0o1777)
		t.Cleanup(func() { os.Chmod("/sys/fs/bpf", 0o700) })
	})
	run("no securityfs", 23, map[string]string{"lsm": "problem", "lockdown": "limited"}, func(t *testing.T) { unmount(t, "/sys/kernel/security", "securityfs", "") })
	run("no BTF", 23, map[string]string{"btf": "problem", "lsm": "ok"}, func(t *testing.T) { cover(t, "/sys/kernel/btf") })
	namespaces := map[string]string{"tokens": "problem"}
	code := 23
	if kernel() == "6.1" {
		namespaces, code = map[string]string{"tokens": "limited"}, 0
	}
	run("no user namespaces", code, namespaces, func(t *testing.T) { sysctl(t, "/proc/sys/user/max_user_namespaces", "0") })
	run("BPF for everybody", 0, map[string]string{"unprivileged-bpf": "limited"}, func(t *testing.T) { sysctl(t, "/proc/sys/kernel/unprivileged_bpf_disabled", "0") })

	run("policy that everybody writes", 16, map[string]string{"policy": "problem"}, func(t *testing.T) { os.Chmod(policyFile, 0o666) })
	run("directory that everybody writes", 16, map[string]string{"policy": "problem", "keyring": "problem"}, func(t *testing.T) { os.Chmod("/etc/tbpf", 0o777) })
	run("policy of somebody", 16, map[string]string{"policy": "problem"}, func(t *testing.T) { os.Chown(policyFile, 1000, 0) })
	run("policy that is a link", 16, map[string]string{"policy": "problem"}, func(t *testing.T) {
		os.Rename(policyFile, "/etc/tbpf/other")
		os.Symlink("/etc/tbpf/other", policyFile)
	})
	run("no policy", 16, map[string]string{"policy": "problem"}, func(t *testing.T) { os.Remove(policyFile) })
	run("malformed policy", 16, map[string]string{"policy": "problem"}, func(t *testing.T) { write(t, policyFile, []byte("treshold = 2\n"), 0o644) })
	run("no key", 12, map[string]string{"keyring": "problem"}, func(t *testing.T) { os.Remove(keyringFile) })
	run("no certificate", 16, map[string]string{"keyring": "problem"}, func(t *testing.T) { write(t, keyringFile, []byte("x"), 0o644) })
	run("loader for root only", 16, map[string]string{"loader": "problem"}, func(t *testing.T) { os.Chmod("/usr/lib/tbpf/tbpf-loader", 0o700) })
	run("damaged floor", 15, map[string]string{"rollback-floor": "problem"}, func(t *testing.T) { write(t, "/var/lib/tbpf/floor", []byte("x"), 0o600) })
	run("no loader", 0, map[string]string{"loader": "limited", "fs-verity": "limited"}, func(t *testing.T) { os.Remove("/usr/lib/tbpf/tbpf-loader") })
	run("kernel keyring without the key", 20, map[string]string{"kernel-keyrings": "problem"}, func(t *testing.T) {
		write(t, policyFile, []byte("kernel-verify = \"if-available\"\nkernel-keyring = \"builtin\"\n"), 0o644)
	})
	run("wrong name in the boot set", 31, map[string]string{"boot-set": "problem"}, func(t *testing.T) { write(t, "/etc/tbpf/boot.d/guard.toml", nil, 0o644) })
	run("unsigned object", 10, map[string]string{"object bare": "problem", "object whole": "ok"}, func(t *testing.T) { bootObject(t, "bare", "/w/bare.o") })
	run("object of a stranger", 12, map[string]string{"object stranger": "problem"}, func(t *testing.T) { bootObject(t, "stranger", "/w/stranger.tbpf") })
	if profiles[kernel()] == "" {
		run("the policy insists on the kernel", 23, map[string]string{"signatures": "problem"}, func(t *testing.T) { write(t, policyFile, nil, 0o644) })
	}
	for _, profile := range []string{"bound", "selfcheck-excl", "selfcheck"} {
		code, status := 20, "problem" // another profile
		switch mine := profiles[kernel()]; {
		case mine == profile, mine == "" && profile == "bound":
			code, status = 0, "ok"
		case mine == "":
			code = 23
		}
		run("object for "+profile, code, map[string]string{"object " + profile: status}, func(t *testing.T) { bootObject(t, profile, "/w/"+profile+".tbpf") })
	}
}

func unmount(t *testing.T, dir, kind, options string) {
	t.Helper()
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Mount(kind, dir, kind, 0, options); err != nil {
			t.Error(err)
		}
	})
}

// cover hides what is in a directory.
func cover(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

func sysctl(t *testing.T, path, value string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, old, 0); err != nil {
			t.Error(err)
		}
	})
}
