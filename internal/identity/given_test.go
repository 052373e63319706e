//go:build linux

package identity

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// The instructions that the manifest names are found in the metadata, and
// nothing else is taken for them.
func TestGivenInstructionsAreThoseOfTheManifest(t *testing.T) {
	object, err := os.ReadFile("../../testdata/xdpcount.bpf.o")
	if err != nil {
		t.Fatal(err)
	}
	s, err := skeleton.Generate(object, skeleton.Options{})
	if err != nil {
		t.Fatal(err)
	}
	given, err := Given(&s.Manifest, s.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	name := s.Manifest.Programs[0].Name
	insns := given[name]
	if len(insns) == 0 || uint64(len(insns)) != s.Manifest.Programs[0].Instructions.Length {
		t.Fatalf("%d bytes", len(insns))
	}
	source, err := ReadSource(object)
	if err != nil {
		t.Fatal(err)
	}
	one, two := sha1.Sum(insns), sha256.Sum256(insns)
	for _, tag := range [][8]byte{[8]byte(one[:]), [8]byte(two[:])} {
		if err := CheckTag(tag, insns, name, source, nil); err != nil {
			t.Error(err)
		}
		tag[7] ^= 1
		if err := CheckTag(tag, insns, name, source, nil); err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("the tag of something else: %v", err)
		}
	}
	at := bytes.Index(s.Metadata, insns)
	for _, off := range []int{0, 12, len(insns) - 1} {
		changed := bytes.Clone(s.Metadata)
		changed[at+off] ^= 1
		if _, err := Given(&s.Manifest, changed); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("byte %d of the instructions changed: %v", off, err)
		}
	}
}

// Each sentence of a manifest that is not so is told.
func TestDescribesTellsWhatIsNotSo(t *testing.T) {
	symbols(t)
	o := load(t, func(*ebpf.CollectionSpec) {})
	said := func() *manifest.Manifest {
		return &manifest.Manifest{
			Programs: []manifest.Program{
				{Name: "filter", KernelName: "filter", Type: "socket_filter", Maps: []string{"settings"}},
				{Name: "next", KernelName: "next", Type: "socket_filter"},
			},
			Maps: []manifest.Map{
				{Name: "settings", KernelName: "settings", Type: "array", KeySize: 4, ValueSize: 8, MaxEntries: 2},
				{Name: "counts", KernelName: "counts", Type: "hash", KeySize: 4, ValueSize: 8, MaxEntries: 16},
			},
		}
	}
	if list := Describes(said(), o); len(list) > 0 {
		t.Fatalf("%q", list)
	}
	for want, change := range map[string]func(*manifest.Manifest){
		`program "filter": type`:                    func(m *manifest.Manifest) { m.Programs[0].Type = "xdp" },
		`program "next": name`:                      func(m *manifest.Manifest) { m.Programs[1].KernelName = "x" },
		`program "filter": it uses the maps`:        func(m *manifest.Manifest) { m.Programs[0].Maps = nil },
		`program "gone": it was not loaded`:         func(m *manifest.Manifest) { m.Programs[1].Name = "gone" },
		`program "filter": expected attach type`:    func(m *manifest.Manifest) { m.Programs[0].AttachType = "xdp" },
		`program "filter": sleepable`:               func(m *manifest.Manifest) { m.Programs[0].Flags = []string{"sleepable"} },
		`program "next": takes fragments`:           func(m *manifest.Manifest) { m.Programs[1].Flags = []string{"xdp-has-frags"} },
		`map "gone": it was not created`:            func(m *manifest.Manifest) { m.Maps[0].Name = "gone" },
		`map "settings": type`:                      func(m *manifest.Manifest) { m.Maps[0].Type = "hash" },
		`map "settings": key size`:                  func(m *manifest.Manifest) { m.Maps[0].KeySize = 8 },
		`map "settings": value size`:                func(m *manifest.Manifest) { m.Maps[0].ValueSize = 4 },
		`map "counts": number of entries`:           func(m *manifest.Manifest) { m.Maps[1].MaxEntries = 15 },
		`map "counts": flags`:                       func(m *manifest.Manifest) { m.Maps[1].Flags = 1 },
		`map "counts": extra`:                       func(m *manifest.Manifest) { m.Maps[1].Extra = 1 },
		`map "counts": name`:                        func(m *manifest.Manifest) { m.Maps[1].KernelName = "count" },
		`map "settings": frozen is true, and false`: func(m *manifest.Manifest) { m.Maps[0].Frozen = true },
	} {
		if o.Programs["filter"].state == nil && (strings.Contains(want, "attach type") || strings.Contains(want, "sleep") || strings.Contains(want, "fragments")) {
			continue
		}
		m := said()
		change(m)
		if list := Describes(m, o); len(list) == 0 || !strings.HasPrefix(list[0], want) {
			t.Errorf("%s is not what is said: %q", want, list)
		}
	}
}
