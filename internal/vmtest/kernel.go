// Package vmtest runs static binaries on real Debian kernels in QEMU: tests of
// everything that depends on what a kernel checks, signs or refuses.
//
// A test says which kernel, which files the guest has and which steps it runs,
// and gets back what every step printed and how it ended:
//
//	vmtest.Boot(t, vmtest.Machine{
//		Kernel: "7.3",
//		Files:  vmtest.Files{"/bin/tbpf": {Host: tbpf}, "guard.tbpf": {Data: sealed}},
//		Steps:  []vmtest.Step{{Args: []string{"tbpf", "load", "guard.tbpf"}}},
//	})
//
// One boot takes 3 to 5 s without KVM, a step little more than the program
// itself. Kernels and QEMU come from scripts/fetch-kernels and
// scripts/install-tools; where they are missing Boot skips the test and says
// what to run, except in CI (environment CI=true), where that is a failure.
//
// Tests and internal/vmtest/cmd import it; nothing that is shipped may.
package vmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Kernel is a kernel line of scripts/fetch-kernels: "6.1", "7.3".
type Kernel string

// Kernels lists the kernels that tbpf is tested on, oldest first.
func Kernels() []Kernel { return []Kernel{"6.1", "6.12", "6.18", "7.2", "7.3"} }

// MissingError says what this machine lacks for virtual machine tests.
type MissingError struct {
	What   string
	Remedy string
}

func (e *MissingError) Error() string { return e.What + " is missing: run " + e.Remedy }

// CacheDir is where the scripts put what they fetch.
func CacheDir() (string, error) {
	if dir := os.Getenv("TBPF_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w", err)
	}
	return filepath.Join(dir, "tbpf"), nil
}

// dir finds the fetched kernel.
func (k Kernel) dir() (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "kernels", string(k))
	for _, name := range []string{"vmlinuz", "config"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", &MissingError{name + " of kernel " + string(k), "scripts/fetch-kernels " + string(k)}
		}
	}
	return dir, nil
}

// addConfig puts the kernel's configuration where its packages have it: from
// 7.2 it is beside the modules.
func (k Kernel) addConfig(files Files) error {
	dir, err := k.dir()
	if err != nil {
		return err
	}
	release, err := k.Release()
	if err != nil {
		return err
	}
	path := "/boot/config-" + release
	if strings.HasPrefix(release, "7.") {
		path = "/usr/lib/modules/" + release + "/config"
	}
	if _, there := files[path]; !there {
		files[path] = File{Host: filepath.Join(dir, "config"), Mode: 0o644}
	}
	return nil
}

// module finds a kernel module by its name, packed or not.
func (k Kernel) module(name string) (string, error) {
	dir, err := k.dir()
	if err != nil {
		return "", err
	}
	var found string
	err = filepath.WalkDir(filepath.Join(dir, "modules"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && (entry.Name() == name+".ko" || entry.Name() == name+".ko.xz") {
			found = path
			return filepath.SkipAll
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if found == "" {
		return "", fmt.Errorf("kernel %s has no module %s", k, name)
	}
	return found, nil
}

// Conntrack lists the modules of connection tracking, whose kernel functions
// some objects call, in the order of their dependencies.
func (k Kernel) Conntrack() []string {
	modules := []string{"nf_defrag_ipv4", "nf_defrag_ipv6", "nf_conntrack"}
	if k == "6.1" || k == "6.12" {
		return append([]string{"libcrc32c"}, modules...) // built in later
	}
	return modules
}

var qemuVersion = regexp.MustCompile(`^QEMU emulator version (\d+)`)

// findQEMU returns the path of a QEMU that can be relied on: 7.2 dies in the
// guest in long runs.
func findQEMU() (string, error) {
	missing := &MissingError{"QEMU 8 or newer", "scripts/install-tools qemu"}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	for _, path := range []string{filepath.Join(cache, "bin", "qemu-system-x86_64"), "qemu-system-x86_64"} {
		out, err := exec.Command(path, "--version").Output()
		if err != nil {
			continue
		}
		match := qemuVersion.FindStringSubmatch(strings.TrimSpace(string(out)))
		if match == nil {
			continue
		}
		if major, err := strconv.Atoi(match[1]); err == nil && major >= 8 {
			return path, nil
		}
	}
	return "", missing
}
