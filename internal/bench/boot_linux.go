package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// bootSize is how many objects a boot loads.
const bootSize = 20

// boot measures a boot set: in one process with tbpf load, with the trusted
// loader and its workers, and with a raw loader for each object. It runs late:
// the directories of the machine's configuration are empty ones from here on,
// for this thread and what it starts.
func (b *bench) boot(fixture, bpffs string) error {
	_, cert, err := b.key("ecdsa-p256")
	if err != nil {
		return err
	}
	raw, err := b.rawload(b.fixture(fixture), 0)
	if err != nil {
		return err
	}
	if err := ownMachine(cert); err != nil {
		return err
	}
	set, err := b.bootSet(fixture, bootSize, "")
	if err != nil {
		return err
	}
	// The trusted loader comes second: what the others are held against is
	// what a person would type.
	one := set.process("tbpf load, one process", append(b.loading(cert, bpffs), set.files...)...)
	each := set.each("raw Go loader, a process each", bpffs, append([]string{b.own("rawload"), "DIR"}, raw...))
	for _, name := range set.names {
		set.dirs = append(set.dirs, filepath.Join(bpffs, name))
	}
	title := fmt.Sprintf("Load and pin %s.bpf.o twenty times, under twenty names", fixture)
	err = b.contest(Contest{Title: title + ": tbpf load", Contestants: []Contestant{{Process: one}, {Process: each, Aim: 1.5}}})
	if err != nil {
		return err
	}
	trusted := set.process("tbpf-loader boot, a worker each", b.own("tbpf-loader"), "boot")
	return b.contest(Contest{Title: title + ": tbpf-loader boot", Memory: true, Rounds: max(b.Rounds/2, 1),
		Contestants: []Contestant{{Process: trusted}, {Process: each, Aim: 1.5}}})
}

// bootSet is what the trusted loader loads, and what a load leaves.
type bootSet struct {
	names, files []string
	dirs         []string
}

// bootSet makes the machine's boot set of one object under several names. more
// is appended to each file of the set.
func (b *bench) bootSet(fixture string, n int, more string) (*bootSet, error) {
	const dir = "/etc/tbpf/boot.d"
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	set := &bootSet{dirs: []string{"/sys/fs/bpf/tbpf", "/run/tbpf"}}
	for i := range n {
		name := fmt.Sprintf("%s%d", fixture, i)
		sealed := filepath.Join("/etc/tbpf/objects", name+".tbpf")
		if _, err := output(b.signing(b.fixture(fixture), sealed, "ecdsa-p256", "--name", name, "--force")...); err != nil {
			return nil, err
		}
		entry := fmt.Sprintf("file = %q\nname = %q\n%s", sealed, name, more)
		if err := os.WriteFile(fmt.Sprintf("%s/%d-object.toml", dir, 10+i), []byte(entry), 0o644); err != nil {
			return nil, err
		}
		set.names, set.files = append(set.names, name), append(set.files, sealed)
	}
	return set, nil
}

// clear takes away what was loaded.
func (s *bootSet) clear() error {
	for _, dir := range s.dirs {
		if err := clearPins(dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *bootSet) process(name string, args ...string) Process {
	return Process{Name: name, Args: args, Prepare: s.clear}
}

// each is a shell that runs a loader once for every object, with a directory in
// the place of DIR.
func (s *bootSet) each(name, bpffs string, args []string) Process {
	var script strings.Builder
	for i := range s.names {
		dir := filepath.Join(bpffs, fmt.Sprintf("%s%d", strings.Fields(name)[0], i))
		line := strings.ReplaceAll(strings.Join(args, " "), " DIR", " "+dir)
		fmt.Fprintf(&script, "%s || exit\n", line)
		s.dirs = append(s.dirs, dir)
	}
	return s.process(name, "/bin/sh", "-c", script.String())
}

// ownMachine makes the configuration of a machine that trusts one key, in
// directories that only this thread and its processes see.
func ownMachine(cert string) error {
	for dir, fs := range map[string]string{"/etc": "tmpfs", "/var/lib": "tmpfs", "/run": "tmpfs", "/sys/fs/bpf": "bpf"} {
		options := "mode=0755"
		if fs == "bpf" {
			options = "mode=0700"
		}
		if err := unix.Mount(fs, dir, fs, 0, options); err != nil {
			return fmt.Errorf("mount %s at %s: %w", fs, dir, err)
		}
	}
	for _, dir := range []string{"keyring.d", "boot.d", "objects"} {
		if err := os.MkdirAll(filepath.Join("/etc/tbpf", dir), 0o755); err != nil {
			return err
		}
	}
	certificate, err := os.ReadFile(cert)
	if err != nil {
		return err
	}
	if err := os.WriteFile("/etc/tbpf/keyring.d/bench.crt", certificate, 0o644); err != nil {
		return err
	}
	return os.WriteFile("/etc/tbpf/policy.toml", []byte("kernel-verify = \"if-available\"\n"), 0o644)
}
