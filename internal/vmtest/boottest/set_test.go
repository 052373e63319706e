//go:build vmguest

package boottest

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// A boot set sets what the signer declared, in a worker too; other values mean
// another load, and what is not allowed fails the object, whose older load stays.
func TestTunablesOfABootSet(t *testing.T) {
	machine(t)
	const first = "[set]\ncomm = \"cron\"\ntarget_pid = 4711\nbroken = false\n\"slow.max_entries\" = 512\n"
	object(t, 10, "settings-1", "settings", first)
	boot(t).want(t, 0, true, "settings: loaded")
	boot(t).want(t, 0, true, "settings: unchanged")
	if n := entries(t); n != 512 {
		t.Errorf("the map slow has %d entries", n)
	}
	o := recordOf(t, "settings")
	if len(o.Set) != 4 || o.Set[3].Name != "target_pid" || o.Set[3].Value != "4711" {
		t.Errorf("recorded %+v", o.Set)
	}
	for set, says := range map[string]string{
		"[set]\ntarget_pid = 4194305\n": `variable "target_pid": "4194305" is not allowed, but -1..4194304`,
		"[set]\ncounted = 1\n":          `variable "counted"`,
		"[set]\nbroken = 1\n":           `true|false`,
	} {
		object(t, 10, "settings-1", "settings", set)
		boot(t).want(t, 31, false, "settings: failed", says)
		if n := entries(t); n != 512 {
			t.Errorf("%s: the map slow has %d entries", set, n)
		}
	}
	object(t, 10, "settings-1", "settings", "[set]\n\"slow.max_entries\" = 2\n")
	boot(t).want(t, 0, true, "settings: replaced")
	if n := entries(t); n != 2 {
		t.Errorf("the map slow has %d entries", n)
	}
	object(t, 10, "settings-1", "settings")
	boot(t).want(t, 0, true, "settings: replaced")
	must(t, os.Remove(bootDir+"/10-settings.toml"))
}

// entries is the size of the map slow.
func entries(t *testing.T) uint32 {
	t.Helper()
	m, err := bpfsys.GetPinned(pinDir + "/settings/maps/slow")
	must(t, err)
	defer m.Close()
	info, err := bpfsys.GetMapInfo(m)
	must(t, err)
	rodata, err := bpfsys.GetPinned(pinDir + "/settings/maps/_rodata")
	must(t, err)
	defer rodata.Close()
	value := make([]byte, 8)
	if data, err := bpfsys.GetMapInfo(rodata); err == nil {
		value = make([]byte, data.ValueSize)
	}
	must(t, bpfsys.LookupElem(rodata, make([]byte, 4), value))
	if found := contains(value, 4711); found != (info.MaxEntries == 512) {
		t.Errorf("%d entries, and the process in .rodata: %v", info.MaxEntries, found)
	}
	return info.MaxEntries
}

// contains reports whether a number is in aligned words.
func contains(b []byte, n uint32) bool {
	for ; len(b) >= 4; b = b[4:] {
		if binary.NativeEndian.Uint32(b) == n {
			return true
		}
	}
	return false
}
