package loader

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// counterMap makes a map of counters in structures whose one member has this
// name, or without types if it has none.
func counterMap(t *testing.T, name, member string, entries uint32) *bpfsys.FD {
	t.Helper()
	spec := &ebpf.MapSpec{Name: name, Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: entries}
	if member != "" {
		spec.Key = &btf.Int{Name: "key", Size: 4}
		spec.Value = &btf.Struct{Name: "counter", Size: 8, Members: []btf.Member{{Name: member, Type: &btf.Int{Name: "u64", Size: 8}}}}
	}
	return makeMap(t, spec)
}

// makeMap makes a map that is there as long as the test.
func makeMap(t *testing.T, spec *ebpf.MapSpec) *bpfsys.FD {
	t.Helper()
	m, err := ebpf.NewMap(spec)
	if errors.Is(err, unix.EPERM) {
		t.Skip("no permission to use BPF")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	n, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := bpfsys.NewFD(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fd.Close() })
	return fd
}

// typesOf is the digest of a map's types.
func typesOf(t *testing.T, fd *bpfsys.FD) string {
	t.Helper()
	info, err := bpfsys.GetMapInfo(fd)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := readBTF(info.BTFID)
	if err != nil {
		t.Fatal(err)
	}
	types, err := kernelbtf.Parse(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := types.MapTypes(info.BTFKeyTypeID, info.BTFValueTypeID)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum[:])
}

// A map goes on in a newer version only if it is what that says its own is.
func TestWhatCanBeKept(t *testing.T) {
	m := manifest.Map{Name: "counters", KernelName: "counters", Type: "hash", KeySize: 4, ValueSize: 8, MaxEntries: 16}
	m.Keep = typesOf(t, counterMap(t, "counters", "packets", 16))
	if err := canKeep(&m, counterMap(t, "counters", "packets", 16)); err != nil {
		t.Errorf("the same is refused: %v", err)
	}
	for what, other := range map[string]*bpfsys.FD{
		"a map with other types":  counterMap(t, "counters", "bytes", 16),
		"a map without types":     counterMap(t, "counters", "", 16),
		"a map with another size": counterMap(t, "counters", "packets", 32),
		"a map with another name": counterMap(t, "other", "packets", 16),
	} {
		if canKeep(&m, other) == nil {
			t.Errorf("%s is taken", what)
		}
	}
	m.Keep = ""
	if canKeep(&m, counterMap(t, "counters", "packets", 16)) == nil {
		t.Error("a map is kept that cannot be")
	}
	m.Pinning = manifest.PinningByName
	if CheckMoved(&manifest.Manifest{Maps: []manifest.Map{m}}) == nil {
		t.Error("a map that is to be kept is left behind in another directory")
	}
}

// The new object has the very maps of the old one, or there is none.
func TestAMapThatIsMadeInPlaceOfAKeptOneIsRefused(t *testing.T) {
	one := &kept{name: "counters", fd: counterMap(t, "counters", "packets", 16)}
	old := &predecessor{maps: []*kept{one}}
	l := &Loaded{maps: map[string]*bpfsys.FD{"counters": counterMap(t, "counters", "packets", 16)}}
	if err := old.giveMaps(l); err == nil || one.given {
		t.Errorf("it is taken: %v", err)
	}
	l.maps = map[string]*bpfsys.FD{"counters": nil}
	if err := old.giveMaps(l); err != nil || l.maps["counters"] != one.fd || !one.given {
		t.Errorf("the kept one is not there: %v", err)
	}
}
