//go:build vmguest

package boottest

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// attachedNow reports whether some link runs a program of this name. Ids only
// rise, so a link that is made before another goes is seen.
func attachedNow(name string) (bool, error) {
	it := new(link.Iterator)
	defer it.Close()
	for it.Next() {
		info, err := it.Link.Info()
		if err != nil {
			return false, err
		}
		program, err := ebpf.NewProgramFromID(info.Program)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		programInfo, err := program.Info()
		program.Close()
		if err != nil {
			return false, err
		}
		if programInfo.Name == name {
			return true, nil
		}
	}
	return false, it.Err()
}

// watch looks for a gap until it is stopped.
func watch(t *testing.T, name string) (stop func()) {
	done, result := make(chan struct{}), make(chan error)
	go func() {
		for looks := 0; ; looks++ {
			select {
			case <-done:
				if looks < 3 {
					result <- fmt.Errorf("looked %d times", looks)
				}
				result <- nil
				return
			default:
				time.Sleep(time.Millisecond) // for the loader's sake: there is one CPU
			}
			if there, err := attachedNow(name); err != nil || !there {
				result <- fmt.Errorf("after %d looks no %s is attached: %v", looks, name, err)
				return
			}
		}
	}()
	return func() {
		t.Helper()
		select {
		case err := <-result:
			t.Error(err)
		case done <- struct{}{}:
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestANewerVersionTakesOverWithoutAGap(t *testing.T) {
	machine(t)
	object(t, 10, "fileguard-1", "fileguard")
	object(t, 20, "xdpcount-1", "xdpcount", "[attach]", `count_udp = "lo"`)
	boot(t).want(t, 0, true)
	guard, xdp := recordOf(t, "fileguard"), recordOf(t, "xdpcount")

	object(t, 10, "fileguard-2", "fileguard")
	object(t, 20, "xdpcount-2", "xdpcount", "[attach]", `count_udp = "lo"`)
	stops := []func(){watch(t, "guard_open"), watch(t, "count_udp")}
	r := boot(t)
	for _, stop := range stops {
		stop()
	}
	r.want(t, 0, true, "fileguard: replaced", "xdpcount: replaced")
	for name, before := range map[string]uint32{"fileguard": guard.Programs[0].ID, "xdpcount": xdp.Programs[0].ID} {
		o := recordOf(t, name)
		if o.Version != 2 || o.Programs[0].ID == before {
			t.Errorf("%s: %+v", name, o)
		}
		expectInKernel(t, o)
		if _, err := ebpf.NewProgramFromID(ebpf.ProgramID(before)); err == nil {
			t.Errorf("%s: version 1 is still there", name)
		}
	}
	// An attachment that can be given another program is the same one.
	if now := recordOf(t, "xdpcount").Links[0]; now.ID != xdp.Links[0].ID || now.ProgramID == xdp.Links[0].ProgramID {
		t.Errorf("link %+v after %+v", now, xdp.Links[0])
	}
	names, err := os.ReadDir(pinDir)
	if err != nil || len(names) != 2 {
		t.Errorf("in the pin directory: %v, %v", names, err)
	}
	boot(t).want(t, 0, true, "fileguard: unchanged", "xdpcount: unchanged")

	// An older version after a newer one (A19): refused, and the newer stays.
	now := recordOf(t, "fileguard")
	object(t, 10, "fileguard-1", "fileguard")
	boot(t).want(t, 31, false, `version 1 of "fileguard" is older than 2`, "xdpcount: unchanged")
	object(t, 10, "fileguard-0", "fileguard")
	boot(t).want(t, 31, false, `version 0 of "fileguard" is older than 2`)
	expectInKernel(t, now)
}

func TestAFailedUpgradeLeavesTheOlderVersion(t *testing.T) {
	machine(t)
	object(t, 20, "xdpcount-1", "xdpcount", "[attach]", `count_udp = "lo"`)
	boot(t).want(t, 0, true)
	before := recordOf(t, "xdpcount")
	damage(t, object(t, 20, "xdpcount-2", "xdpcount", "[attach]", `count_udp = "lo"`))
	boot(t).want(t, 31, false)
	object(t, 20, "xdpcount-2", "xdpcount", "[attach]", `count_udp = "no-such-device"`)
	boot(t).want(t, 31, false)
	expectInKernel(t, before)
	object(t, 20, "xdpcount-1", "xdpcount", "[attach]", `count_udp = "lo"`)
	boot(t).want(t, 0, true, "xdpcount: unchanged")
}

// What processes left that died while they replaced an object goes, and what
// they had in place is mended.
func TestWhatADeadProcessLeftIsMended(t *testing.T) {
	machine(t)
	object(t, 10, "fileguard-1", "fileguard")
	boot(t).want(t, 0, true)
	// It died after the old object was moved aside.
	aside := pinDir + "/tbpf-partial-0123456789abcdef"
	must(t, os.Mkdir(aside, 0o700))
	must(t, unix.Mount(pinDir+"/fileguard", aside, "", unix.MS_BIND, ""))
	must(t, unix.Unmount(pinDir+"/fileguard", unix.MNT_DETACH))
	boot(t).want(t, 0, true, "fileguard: loaded")
	names, err := os.ReadDir(pinDir)
	if err != nil || len(names) != 1 {
		t.Errorf("in the pin directory: %v, %v", names, err)
	}
	expectInKernel(t, recordOf(t, "fileguard"))
	// It died after the new one was in place: the old one is beside it.
	must(t, os.Mkdir(aside, 0o700))
	must(t, unix.Mount(pinDir+"/fileguard", aside, "", unix.MS_BIND, ""))
	object(t, 10, "fileguard-2", "fileguard")
	boot(t).want(t, 0, true, "fileguard: replaced")
	if names, err = os.ReadDir(pinDir); err != nil || len(names) != 1 {
		t.Errorf("in the pin directory: %v, %v", names, err)
	}
	expectInKernel(t, recordOf(t, "fileguard"))
}

// Something else under the name of the pin directory is never taken for an
// object, and never removed (A26).
func TestForeignPinsAreLeftAlone(t *testing.T) {
	machine(t)
	object(t, 10, "fileguard-1", "fileguard")
	must(t, os.MkdirAll(pinDir+"/fileguard/programs", 0o700))
	boot(t).want(t, 31, false, "something is pinned there already")
	if _, err := os.Stat(pinDir + "/fileguard/programs"); err != nil {
		t.Error(err)
	}
	must(t, os.RemoveAll(pinDir+"/fileguard"))
	must(t, os.Symlink("/tmp", pinDir+"/fileguard"))
	boot(t).want(t, 31, false)
	must(t, os.Remove(pinDir+"/fileguard"))
	boot(t).want(t, 0, true)
}
