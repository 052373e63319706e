package vmtest

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"
)

// stepsProgram is the guest in a machine whose first process is another one.
const stepsProgram = "/usr/lib/vmtest/guest"

// The machine's steps are run when the system is up, or, in emergency mode, in
// the place of its shell, so that a test can look around there.
const (
	stepsUnit = `[Unit]
Description=Steps of a virtual machine test
After=multi-user.target
` + stepsService
	emergencyUnit = `[Unit]
Description=Steps of a virtual machine test, in emergency mode
DefaultDependencies=no
` + stepsService
	stepsService = `
[Service]
Type=exec
ExecStart=` + stepsProgram + ` steps
`
)

// masked are units that would wait for what the machine does not have (udev and
// its devices, D-Bus), or take time and do nothing for a test.
func masked() []string {
	return []string{"getty.target", "serial-getty@.service", "systemd-logind.service", "ldconfig.service",
		"systemd-journal-catalog-update.service", "systemd-update-done.service", "systemd-random-seed.service"}
}

// Userland is a Debian suite of scripts/fetch-userland, whose systemd is the
// machine's first process: "trixie". The machine's steps run when it has
// reached multi-user.target or emergency.target.
type Userland string

// dir finds the fetched userland.
func (u Userland) dir() (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "userland", string(u), "root")
	if _, err := os.Stat(filepath.Join(dir, "usr/lib/systemd/systemd")); err != nil {
		return "", &MissingError{"userland " + string(u), "scripts/fetch-userland " + string(u)}
	}
	return dir, nil
}

// RequireInitramfs ends the test early where an initramfs cannot be made.
func RequireInitramfs(t testing.TB, u Userland) {
	t.Helper()
	RequireSystem(t, u)
	_, err := u.tools()
	require(t, err)
}

// files are the files of the userland, with what runs the steps.
func (u Userland) files() (Files, error) {
	dir, err := u.dir()
	if err != nil {
		return nil, err
	}
	f := Files{}
	if err := f.addSystem(dir); err != nil {
		return nil, err
	}
	const units = "/etc/systemd/system/"
	f[units+"vmtest-steps.service"] = File{Data: []byte(stepsUnit), Mode: 0o644}
	f[units+"graphical.target.wants/vmtest-steps.service"] = File{Data: []byte("../vmtest-steps.service"), Mode: os.ModeSymlink}
	for _, unit := range masked() {
		f[units+unit] = File{Data: []byte("/dev/null"), Mode: os.ModeSymlink}
	}
	f[units+"emergency.service"] = File{Data: []byte(emergencyUnit), Mode: 0o644}
	return f, nil
}

// addSystem adds a root directory, itself too, with its links and empty
// directories.
func (f Files) addSystem(root string) error {
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		file := File{Mode: info.Mode()}
		switch {
		case info.Mode().IsRegular():
			file.Host = name
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			file.Data = []byte(target)
		}
		f[path.Join("/", filepath.ToSlash(name[len(root):]))] = file
		return nil
	})
}
