package manifest_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

func hex64(c string) string { return strings.Repeat(c, 64) }

func blob(c string, n uint64) manifest.Blob { return manifest.Blob{SHA256: hex64(c), Length: n} }

// full has every field set.
func full() *manifest.Manifest {
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	contents := blob("5", 8)
	low, fast := "3", "FAST"
	return &manifest.Manifest{
		Object:       manifest.Object{Name: "guard.bpf.o", SHA256: hex64("0")},
		Name:         "guard",
		Version:      1<<64 - 1,
		Created:      time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     &end,
		Annotations:  map[string]string{"builder": "ci <1> & co", "empty": ""},
		Architecture: "x86_64",
		ByteOrder:    "little",
		ObjectSize:   1234,
		Context:      uint32(loadctx.Size(16)) + 48,
		Profiles: []manifest.Profile{
			{Name: "bound", Loader: blob("1", 24), Metadata: blob("3", 16)},
			{Name: "selfcheck", Loader: blob("2", 32), Metadata: blob("3", 16)},
		},
		KernelSigner: &manifest.KernelSigner{KeyID: hex64("a"), Certificate: hex64("b"), Chain: []string{hex64("b"), hex64("e")}},
		Certificates: []string{hex64("c"), hex64("d")},
		Programs: []manifest.Program{
			{
				Name: "guard", KernelName: "guard", Section: "?lsm.s/file_open", Type: "lsm", AttachType: "lsm_mac", AttachTarget: "file_open",
				Attach: manifest.Attach{By: manifest.AttachByKernel, Link: 1, InputSlot: -1}, Optional: true,
				Flags: []string{manifest.FlagSleepable, manifest.FlagXDPHasFrags}, License: "GPL", Instructions: blob("4", 80),
				Helpers: []string{"bpf_a", "bpf_b"}, Kfuncs: []string{"bpf_path_d_path"}, Maps: []string{".rodata", "outer"}, Slot: 0,
			},
			{
				Name: "tc", KernelName: "tc", Section: "tc", Type: "sched_cls",
				Attach: manifest.Attach{By: manifest.AttachByKernel, Link: 3, Input: manifest.InputInterface, InputSlot: 4}, Instructions: blob("4", 8), Slot: 2,
			},
			{
				Name: "ssthresh", KernelName: "ssthresh", Section: "struct_ops/ssthresh", Type: "struct_ops", AttachTarget: "tcp_congestion_ops.ssthresh",
				Attach: manifest.Attach{By: manifest.AttachByNone, Link: -1, InputSlot: -1}, Instructions: blob("4", 8), Slot: 12,
			},
		},
		Maps: []manifest.Map{
			{Name: ".rodata", KernelName: "guard.rodata", Type: "array", KeySize: 4, ValueSize: 8, MaxEntries: 1, Flags: 128, Contents: &contents, Frozen: true, Slot: 6},
			{
				Name: "outer", KernelName: "outer", Type: "hash_of_maps", KeySize: 4, ValueSize: 4, MaxEntries: 2, Extra: 7, Slot: 7,
				InnerMap: &manifest.Map{Name: "inner", Type: "array", KeySize: 4, ValueSize: 4, MaxEntries: 1, Contents: &contents, Slot: -1},
			},
			{
				Name: "steady", KernelName: "steady", Type: "struct_ops", KeySize: 4, ValueSize: 64, MaxEntries: 1, Flags: 1 << 13, Slot: 13,
				StructOps: &manifest.StructOps{Type: "tcp_congestion_ops", Link: 11,
					Functions: []manifest.Function{{Member: "ssthresh", Program: "ssthresh"}},
					Layouts: []manifest.Layout{{Size: 32, ValueSize: 64, DataOffset: 8, Members: []manifest.Member{
						{Name: "ssthresh", Kind: manifest.MemberFunction, Offset: 8, Size: 8}, {Name: "name", Kind: "array of integer", Offset: 16, Size: 16},
					}}}},
			},
			{Name: "events", KernelName: "events", Type: "perf_event_array", KeySize: 4, ValueSize: 4, MaxEntries: 8192, Slot: 8, PerCPU: true, Pinning: manifest.PinningByName, Keep: hex64("7"), Mode: "0640"},
			{
				Name: "arena", KernelName: "arena", Type: "arena", MaxEntries: 16, Flags: 1024, Extra: 1 << 44, Contents: &contents, Slot: 15,
				ContentsAt: 512, ArenaOffset: 8192,
			},
			{Name: ".kconfig", KernelName: ".kconfig", Type: "array", KeySize: 4, ValueSize: 8, MaxEntries: 1, Flags: 128, Contents: &contents, Frozen: true, Slot: 14},
		},
		Tunables: []manifest.Tunable{
			{Name: "CONFIG_HZ", Source: manifest.SourceKconfig, Map: ".kconfig", Kind: manifest.TunableSigned, Size: 4, Minimum: "-2147483648", Maximum: "2147483647", Context: uint32(loadctx.Size(16))},
			{Name: "comm", Map: ".rodata", Kind: manifest.TunableString, Offset: 4, Size: 3, Default: new(string), Context: uint32(loadctx.Size(16)) + 8},
			{Name: "depth", Map: ".rodata", Kind: manifest.TunableSigned, Offset: 0, Size: 1, Minimum: "-5", Maximum: "7", Default: &low, Context: uint32(loadctx.Size(16)) + 16},
			{Name: "mode", Map: ".rodata", Kind: manifest.TunableEnum, Offset: 1, Size: 1, Choices: []manifest.Choice{{Name: "FAST", Value: "0"}, {Name: "SLOW", Value: "-1"}}, Default: &fast, Context: uint32(loadctx.Size(16)) + 24},
			{Name: "on", Map: ".rodata", Kind: manifest.TunableBool, Offset: 2, Size: 1, Context: uint32(loadctx.Size(16)) + 32},
			{Name: "outer.max_entries", Map: "outer", Kind: manifest.TunableUnsigned, Size: 4, Choices: []manifest.Choice{{Name: "16"}, {Name: "1024"}}, Context: uint32(loadctx.Size(16)) + 40},
		},
		Globals:      []manifest.Global{{Name: "deny", Map: ".rodata", Offset: 4, Size: 4, Type: "const int", Value: "01000000"}},
		Symbols:      []manifest.Symbol{{Name: "bpf_path_d_path", Kind: manifest.SymbolKfunc, Weak: true}},
		Delegation:   manifest.Delegation{Commands: []string{"map_create", "prog_load"}, Maps: []string{"array", "perf_event_array", "hash_of_maps"}, Programs: []string{"sched_cls", "lsm"}, AttachTypes: []string{"lsm_mac"}},
		Capabilities: []string{"CAP_BPF", "CAP_PERFMON"},
		Kernel:       manifest.KernelNeeds{Minimum: "6.12", BTF: true, LSM: true, Needs: []manifest.Need{{Feature: "kfuncs", Since: "6.12"}}},
	}
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	want := full()
	b, err := manifest.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := manifest.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	again, err := manifest.Encode(got)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoded again it differs (%v)", err)
	}
	if bytes.HasSuffix(b, []byte("\n")) || !bytes.Contains(b, []byte("ci <1> & co")) {
		t.Error("not written as docs/format.md says")
	}
}

// full must not forget a field that is added later: what is never set is
// never tested.
func TestFullSetsEveryField(t *testing.T) {
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() && v.Type().Elem().Kind() == reflect.Struct && v.Type() != reflect.TypeFor[*time.Time]() {
				walk(path, v.Elem())
			}
		case reflect.Slice:
			set := reflect.New(v.Type().Elem()).Elem()
			for i := range v.Len() {
				merge(set, v.Index(i))
			}
			if v.Len() > 0 {
				walk(path+"[]", set)
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				name := path + "." + v.Type().Field(i).Name
				if v.Field(i).IsZero() && !strings.Contains(name, "InnerMap.") {
					t.Errorf("%s is not set", name)
				}
				walk(name, v.Field(i))
			}
		}
	}
	walk("", reflect.ValueOf(full()))
}

// merge sets the fields of dst that are zero to those of src.
func merge(dst, src reflect.Value) {
	if dst.Kind() != reflect.Struct {
		dst.Set(src)
		return
	}
	for i := range dst.NumField() {
		if dst.Field(i).IsZero() {
			dst.Field(i).Set(src.Field(i))
		} else if dst.Field(i).Kind() == reflect.Struct && dst.Type().Field(i).IsExported() {
			merge(dst.Field(i), src.Field(i))
		}
	}
}

func TestEmptyListsAreWritten(t *testing.T) {
	m := &manifest.Manifest{
		Object: manifest.Object{Name: "x.o", SHA256: hex64("0")}, Name: "x", Created: time.Unix(0, 0).UTC(), Architecture: "any", ByteOrder: "big",
		ObjectSize: 1, Context: loadctx.OffSlots, Profiles: []manifest.Profile{{Name: "bound", Loader: blob("1", 16), Metadata: blob("2", 8)}},
		Kernel: manifest.KernelNeeds{Minimum: "5.17"},
	}
	b, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("null")) {
		t.Errorf("null in %s", b)
	}
	if m.Programs != nil {
		t.Error("Encode changed its argument")
	}
	short := *m
	short.Context -= 8
	if _, err := manifest.Encode(&short); err == nil {
		t.Error("a context without its fixed fields is taken")
	}
	if _, err := manifest.Decode(b); err != nil {
		t.Error(err)
	}
}

// A re-encoded statement says the same: order and white space are free, for
// other tools write statements too.
func TestDecodeTakesOtherOrderAndWhiteSpace(t *testing.T) {
	b, err := manifest.Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	var generic map[string]json.RawMessage // writes its keys sorted
	if err := json.Unmarshal(b, &generic); err != nil {
		t.Fatal(err)
	}
	other, err := json.MarshalIndent(generic, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got, err := manifest.Decode(other)
	if err != nil || !reflect.DeepEqual(got, full()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	m, c := full(), full().Clone()
	if !reflect.DeepEqual(m, c) {
		t.Fatal("the clone differs")
	}
	m = full()
	c = m.Clone()
	scramble(reflect.ValueOf(c).Elem())
	if !reflect.DeepEqual(m, full()) {
		t.Error("a change of the clone shows in the original")
	}
}

// scramble sets everything that can be reached to zero, in place.
func scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			scramble(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
		}
	case reflect.Map:
		v.Clear()
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			scramble(v.Field(i))
		}
	default:
		v.SetZero()
	}
}

func TestDiffersFromGenerated(t *testing.T) {
	if part := full().DiffersFromGenerated(full()); part != "" {
		t.Errorf("a manifest differs from itself in %s", part)
	}
	// What the signer says beyond the object is not compared.
	signed := full()
	signed.Version, signed.Annotations, signed.KernelSigner, signed.Name, signed.NotAfter = 1, nil, nil, "other", nil
	if part := full().DiffersFromGenerated(signed); part != "" {
		t.Errorf("%s is compared, which is not generated", part)
	}
	// Two ways to have nothing are written alike.
	none, empty := full(), full()
	none.Programs[0].Kfuncs, empty.Programs[0].Kfuncs = nil, []string{}
	none.Symbols, empty.Symbols = nil, []manifest.Symbol{}
	if part := none.DiffersFromGenerated(empty); part != "" {
		t.Errorf("no list and an empty list differ in %s", part)
	}
	for want, change := range map[string]func(m *manifest.Manifest){
		"architecture": func(m *manifest.Manifest) { m.Architecture = "any" },
		"byteOrder":    func(m *manifest.Manifest) { m.ByteOrder = "big" },
		"contextSize":  func(m *manifest.Manifest) { m.Context += 8 },
		"programs":     func(m *manifest.Manifest) { m.Programs[0].AttachTarget = "file_ioctl" },
		"maps":         func(m *manifest.Manifest) { m.Maps[0].Frozen = false },
		"globals":      func(m *manifest.Manifest) { m.Globals = nil },
		"symbols":      func(m *manifest.Manifest) { m.Symbols[0].Weak = false },
		"delegation":   func(m *manifest.Manifest) { m.Delegation.Maps = nil },
		"capabilities": func(m *manifest.Manifest) { m.Capabilities = append(m.Capabilities, "CAP_SYS_ADMIN") },
		"kernel":       func(m *manifest.Manifest) { m.Kernel.LSM = false },
	} {
		m := full()
		change(m)
		if part := full().DiffersFromGenerated(m); part != want {
			t.Errorf("%s: got %q", want, part)
		}
	}
}
