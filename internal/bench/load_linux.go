package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// load measures loading and pinning, on the machine's own kernel: XDP with three maps of globals, a program that reads
// kernel structures (CO-RE), and 60 programs with 80 maps, more than libbpf's
// generator of light skeletons takes.
func (b *bench) load() error {
	bpffs, err := b.bpffs()
	if errors.Is(err, fs.ErrPermission) {
		_, err = fmt.Fprintf(b.Out, "\nLoad: skipped, it needs root (%v)\n", err)
		return err
	}
	if err != nil {
		return err
	}
	defer unix.Unmount(bpffs, unix.MNT_DETACH)
	for _, c := range []struct {
		fixture string
		light   bool
	}{{"xdpcount", true}, {"core", true}, {"large", false}} {
		if err := b.loadOne(c.fixture, c.light, bpffs); err != nil {
			return err
		}
	}
	a, err := b.attaching("tcx") // the compiler is found through /etc, which boot hides
	if err != nil {
		return err
	}
	if err := b.boot("xdpcount", bpffs); err != nil {
		return err
	}
	return b.attach(a, bpffs)
}

// bpffs mounts one where only this thread and the processes that it starts see
// it: it goes when the bench ends, however it ends. The goroutine stays on the
// thread, for there is no way back.
func (b *bench) bpffs() (string, error) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return "", fmt.Errorf("unshare mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("make mounts private: %w", err)
	}
	dir := b.path("bpffs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if err := unix.Mount("bpf", dir, "bpf", 0, "mode=0700"); err != nil {
		return "", fmt.Errorf("mount a bpffs: %w", err)
	}
	return dir, nil
}

func (b *bench) loadOne(fixture string, light bool, bpffs string) error {
	object, at := b.fixture(fixture), func(dir string) string { return filepath.Join(bpffs, dir) }
	cert, sealed, err := b.seal(fixture)
	if err != nil {
		return err
	}
	raw, err := b.rawload(object, 0)
	if err != nil {
		return err
	}
	contestants := []Contestant{
		pinning("tbpf load (4 signatures)", at(fixture), append(b.loading(cert, bpffs), sealed)...),
		pinning("raw Go loader (verifies nothing)", at("raw"), append([]string{b.own("rawload"), at("raw")}, raw...)...),
		pinning("cilium/ebpf LoadCollection", at("library"), b.own("libload"), object, at("library")),
		pinning("bpftool prog loadall", at("tool"), b.tool("prog", "loadall", object, at("tool"), "pinmaps", at("tool"))...),
	}
	contestants[1].Aim, contestants[2].Aim = 1.3, 1.0/3
	if light {
		program, err := b.lightSkeleton(object, nil)
		if err != nil {
			return err
		}
		contestants = append(contestants, pinning("static C light skeleton", at("light"), program, at("light")))
		contestants[4].Aim = 2
	}
	return b.contest(Contest{Title: "Load and pin " + filepath.Base(object), Memory: true, Contestants: contestants})
}

// seal signs a fixture.
func (b *bench) seal(fixture string) (cert, sealed string, err error) {
	if _, cert, err = b.key("ecdsa-p256"); err != nil {
		return "", "", err
	}
	sealed = b.path(fixture + ".tbpf")
	_, err = output(b.signing(b.fixture(fixture), sealed, "ecdsa-p256")...)
	return cert, sealed, err
}

// loading is the command line that loads, without its files.
func (b *bench) loading(cert, bpffs string) []string {
	return []string{b.own("tbpf"), "load", "--keyring", cert, "--kernel-verify", "if-available", "--pin", bpffs}
}

// pinning is a contestant that pins in a directory, which is not there when it
// starts.
func pinning(name, dir string, args ...string) Contestant {
	return Contestant{Process: Process{Name: name, Args: args, Prepare: func() error { return clearPins(dir) }}}
}

// clearPins takes away what a load left: tbpf's is a mount.
func clearPins(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return err
	}
	return os.RemoveAll(dir)
}

// rawload generates a loader program, and returns what rawload is told of it. It
// attaches to the interface with that index, if it is not 0.
func (b *bench) rawload(object string, ifindex int) ([]string, error) {
	data, err := os.ReadFile(object)
	if err != nil {
		return nil, err
	}
	s, err := skeleton.Generate(data, skeleton.Options{})
	if err != nil {
		return nil, err
	}
	base := filepath.Base(object)
	metadata, err := b.write(base+".metadata", s.Metadata)
	if err != nil {
		return nil, err
	}
	// What the unsigned path of loader runs.
	instructions, err := b.write(base+".loader", s.Loaders[bpfabi.Bound])
	if err != nil {
		return nil, err
	}
	args := []string{metadata, instructions, strconv.Itoa(int(s.Manifest.Context))}
	for i := range s.Manifest.Programs {
		if a := &s.Manifest.Programs[i].Attach; ifindex != 0 && a.Input == manifest.InputInterface {
			args = append(args, fmt.Sprintf("%d@%d", a.InputSlot, ifindex))
		}
	}
	pin := func(slot int, name string) {
		args = append(args, fmt.Sprintf("%d=%s", slot, strings.ReplaceAll(name, ".", "_")))
	}
	for i := range s.Manifest.Maps {
		pin(s.Manifest.Maps[i].Slot, s.Manifest.Maps[i].Name)
	}
	for i := range s.Manifest.Programs {
		p := &s.Manifest.Programs[i]
		pin(p.Slot, p.Name)
		if ifindex != 0 && p.Attach.Input == manifest.InputInterface {
			pin(p.Attach.Link, "link_"+p.Name)
		}
	}
	return args, nil
}
