//go:build vmguest

package boottest

import (
	"testing"

	"github.com/cilium/ebpf"
)

// pinnedMap opens a map where the loader pinned it.
func pinnedMap(t *testing.T, object, name string) *ebpf.Map {
	t.Helper()
	m, err := ebpf.LoadPinnedMap(pinDir+"/"+object+"/maps/"+name, nil)
	must(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// fileID is a key of the file guard's.
type fileID struct {
	Inode        uint64
	Device, Zero uint32
}

// What was put into maps that are declared to be kept is there in the newer
// version, which uses the very same maps; others are made anew.
func TestANewerVersionKeepsItsMaps(t *testing.T) {
	machine(t)
	object(t, 10, "pinned-1", "pinned")
	object(t, 20, "keep-1", "fileguard")
	object(t, 30, "keepdata-1", "xdpcount", "[attach]", `count_udp = "lo"`)
	boot(t).want(t, 0, true)

	file := fileID{Inode: 4711, Device: 1}
	must(t, pinnedMap(t, "pinned", "shared_counter").Put(uint32(0), uint64(17)))
	must(t, pinnedMap(t, "fileguard", "guarded").Put(file, uint8(1)))
	before := pinnedMap(t, "xdpcount", "_bss")
	section := make([]byte, before.ValueSize())
	section[len(section)-1] = 0x55
	must(t, before.Put(uint32(0), section))
	ids := mapIDs(t)

	object(t, 10, "pinned-2", "pinned")
	object(t, 20, "keep-2", "fileguard")
	object(t, 30, "keepdata-2", "xdpcount", "[attach]", `count_udp = "lo"`)
	boot(t).want(t, 0, true, "pinned: replaced", "fileguard: replaced", "xdpcount: replaced")
	for _, name := range []string{"pinned", "fileguard", "xdpcount"} {
		expectInKernel(t, recordOf(t, name))
	}
	now := mapIDs(t)
	for name, kept := range map[string]bool{"pinned/shared_counter": true, "fileguard/guarded": true, "xdpcount/.bss": true,
		"fileguard/counters": false, "xdpcount/.data": false} {
		if ids[name] == 0 || (ids[name] == now[name]) != kept {
			t.Errorf("%s: id %d, was %d", name, now[name], ids[name])
		}
	}
	var n uint64
	if err := pinnedMap(t, "pinned", "shared_counter").Lookup(uint32(0), &n); err != nil || n != 17 {
		t.Errorf("the counter is %d, %v", n, err)
	}
	var set uint8
	if err := pinnedMap(t, "fileguard", "guarded").Lookup(file, &set); err != nil || set != 1 {
		t.Errorf("the guarded file is not there: %v", err)
	}
	have, err := pinnedMap(t, "xdpcount", "_bss").LookupBytes(uint32(0))
	if err != nil || len(have) != len(section) || have[len(have)-1] != 0x55 {
		t.Errorf("the section is %x, %v", have, err)
	}
	boot(t).want(t, 0, true, "pinned: unchanged", "fileguard: unchanged", "xdpcount: unchanged")
}

// mapIDs are the ids of all maps that the records name.
func mapIDs(t *testing.T) map[string]uint32 {
	t.Helper()
	ids := make(map[string]uint32)
	for _, name := range []string{"pinned", "fileguard", "xdpcount"} {
		for _, m := range recordOf(t, name).Maps {
			ids[name+"/"+m.Name] = m.ID
		}
	}
	return ids
}

// A map that is not the same in the newer version is not handed over, and what
// is in it is not lost without a word: the older version stays.
func TestWhatCannotBeKeptIsNotReplaced(t *testing.T) {
	machine(t)
	object(t, 10, "keep-1", "fileguard")
	boot(t).want(t, 0, true)
	file := fileID{Inode: 4711, Device: 1}
	must(t, pinnedMap(t, "fileguard", "guarded").Put(file, uint8(1)))
	before := recordOf(t, "fileguard")
	for sealed, why := range map[string][]string{
		"keep-types": {"other types"},
		"keep-sized": {"2048"},
	} {
		var more []string
		if sealed == "keep-sized" {
			more = []string{"[set]", `"guarded.max_entries" = "2048"`}
		}
		object(t, 10, sealed, "fileguard", more...)
		boot(t).want(t, 31, false, append(why, "cannot be", "unload the object first")...)
		expectInKernel(t, before)
		var set uint8
		if err := pinnedMap(t, "fileguard", "guarded").Lookup(file, &set); err != nil || set != 1 {
			t.Errorf("%s: the guarded file is not there: %v", sealed, err)
		}
	}
	object(t, 10, "keep-1", "fileguard")
	boot(t).want(t, 0, true, "fileguard: unchanged")

	// In another pin directory it would be another map.
	object(t, 10, "keep-2", "fileguard", `pin = "elsewhere"`)
	boot(t).want(t, 31, false, "cannot be", "unload the object first")
	expectInKernel(t, before)
}
