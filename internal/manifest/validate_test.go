package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Each change alone makes the manifest one that nobody may sign or load.
func TestRefused(t *testing.T) {
	type change = func(m *manifest.Manifest)
	cases := map[string]change{
		"name empty":             func(m *manifest.Manifest) { m.Name = "" },
		"name of 129 bytes":      func(m *manifest.Manifest) { m.Name = strings.Repeat("n", 129) },
		"name with slash":        func(m *manifest.Manifest) { m.Name = "a/b" },
		"name with backslash":    func(m *manifest.Manifest) { m.Name = `a\b` },
		"name dot":               func(m *manifest.Manifest) { m.Name = "." },
		"name hidden":            func(m *manifest.Manifest) { m.Name = ".guard" },
		"name like an option":    func(m *manifest.Manifest) { m.Name = "-guard" },
		"name with space":        func(m *manifest.Manifest) { m.Name = "a b" },
		"name not ASCII":         func(m *manifest.Manifest) { m.Name = "g\u00fcard" },
		"object name path":       func(m *manifest.Manifest) { m.Object.Name = "/x.o" },
		"object name empty":      func(m *manifest.Manifest) { m.Object.Name = "" },
		"object name dot-dot":    func(m *manifest.Manifest) { m.Object.Name = ".." },
		"object name ANSI":       func(m *manifest.Manifest) { m.Object.Name = "x\x1b[31m.o" },
		"object name C1 control": func(m *manifest.Manifest) { m.Object.Name = "x\u009b31m.o" },
		"object name bidi":       func(m *manifest.Manifest) { m.Object.Name = "x\u202eo." },
		"object name zero width": func(m *manifest.Manifest) { m.Object.Name = "x\u200b.o" },
		"object name no UTF-8":   func(m *manifest.Manifest) { m.Object.Name = "x\xff.o" },
		"object digest short":    func(m *manifest.Manifest) { m.Object.SHA256 = m.Object.SHA256[1:] },
		"object digest upper":    func(m *manifest.Manifest) { m.Object.SHA256 = hex64("A") },
		"object digest middle":   func(m *manifest.Manifest) { m.Object.SHA256 = hex64("0")[:30] + "zz" + hex64("0")[:32] },
		"object empty":           func(m *manifest.Manifest) { m.ObjectSize = 0 },
		"created with fraction":  func(m *manifest.Manifest) { m.Created = m.Created.Add(time.Millisecond) },
		"created not in UTC":     func(m *manifest.Manifest) { m.Created = m.Created.In(time.FixedZone("x", 3600)) },
		"created zero":           func(m *manifest.Manifest) { m.Created = time.Time{} },
		"created in year 10000":  func(m *manifest.Manifest) { m.Created, m.NotAfter = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), nil },
		"notAfter with fraction": func(m *manifest.Manifest) { *m.NotAfter = m.NotAfter.Add(1) },
		"notAfter is created":    func(m *manifest.Manifest) { *m.NotAfter = m.Created },
		"65 annotations": func(m *manifest.Manifest) {
			for i := range 65 {
				m.Annotations[strings.Repeat("k", i+1)] = "v"
			}
		},
		"annotation key empty":         func(m *manifest.Manifest) { m.Annotations[""] = "v" },
		"annotation key long":          func(m *manifest.Manifest) { m.Annotations[strings.Repeat("k", 129)] = "v" },
		"annotation with newline":      func(m *manifest.Manifest) { m.Annotations["a"] = "x\ny" },
		"annotation long":              func(m *manifest.Manifest) { m.Annotations["a"] = strings.Repeat("v", 4097) },
		"architecture empty":           func(m *manifest.Manifest) { m.Architecture = "" },
		"architecture upper":           func(m *manifest.Manifest) { m.Architecture = "X86" },
		"byte order":                   func(m *manifest.Manifest) { m.ByteOrder = "middle" },
		"kernel key":                   func(m *manifest.Manifest) { m.KernelSigner.KeyID = "" },
		"kernel certificate":           func(m *manifest.Manifest) { m.KernelSigner.Certificate = "" },
		"kernel certificate elsewhere": func(m *manifest.Manifest) { m.Certificates = []string{m.KernelSigner.Certificate} },
		"chain without the signer":     func(m *manifest.Manifest) { m.KernelSigner.Chain = m.KernelSigner.Chain[1:] },
		"chain with one twice":         func(m *manifest.Manifest) { m.KernelSigner.Chain[1] = m.KernelSigner.Chain[0] },
		"chain of no digest":           func(m *manifest.Manifest) { m.KernelSigner.Chain[1] = "x" },
		"chain too long": func(m *manifest.Manifest) {
			m.KernelSigner.Chain = []string{m.KernelSigner.Certificate, hex64("1"), hex64("2"), hex64("3"), hex64("4")}
		},
		"certificate":              func(m *manifest.Manifest) { m.Certificates = []string{"x"} },
		"certificate twice":        func(m *manifest.Manifest) { m.Certificates = []string{hex64("c"), hex64("c")} },
		"size of another map type": func(m *manifest.Manifest) { m.Maps[0].PerCPU = true },
		"size slot taken":          func(m *manifest.Manifest) { m.Maps[2].Slot = 6 },
		"size slot outside":        func(m *manifest.Manifest) { m.Maps[2].Slot = 9 },
		"inner map with a pin":     func(m *manifest.Manifest) { m.Maps[1].InnerMap.Pinning = manifest.PinningByName },
		"inner map that is kept":   func(m *manifest.Manifest) { m.Maps[1].InnerMap.Keep = hex64("7") },
		"kept, of no digest":       func(m *manifest.Manifest) { m.Maps[2].Keep, m.Maps[3].Keep = "x", "x" },
		"kept, struct_ops":         func(m *manifest.Manifest) { m.Maps[2].Keep = hex64("7") },
		"kept, map in map":         func(m *manifest.Manifest) { m.Maps[1].Keep = hex64("7") },
		"kept, frozen":             func(m *manifest.Manifest) { m.Maps[3].Frozen = true },
		"kept, with entries":       func(m *manifest.Manifest) { m.Maps[3].Contents = &manifest.Blob{SHA256: hex64("7"), Length: 8} },
		"keep slot taken":          func(m *manifest.Manifest) { m.Maps[2].Slot = 10 },
		"keep slot outside":        func(m *manifest.Manifest) { m.Maps[3].Slot = 12 },
		"inner map with a mode":    func(m *manifest.Manifest) { m.Maps[1].InnerMap.Mode = "0640" },
		"the usual mode":           func(m *manifest.Manifest) { m.Maps[0].Mode = "0600" },
		"mode without its owner":   func(m *manifest.Manifest) { m.Maps[0].Mode = "0044" },
		"mode with execution":      func(m *manifest.Manifest) { m.Maps[0].Mode = "0641" },
		"mode with sticky bit":     func(m *manifest.Manifest) { m.Maps[0].Mode = "1644" },
		"mode too long":            func(m *manifest.Manifest) { m.Maps[0].Mode = "06444" },
		"unknown pinning":          func(m *manifest.Manifest) { m.Maps[0].Pinning = "shared" },
		"certificates unsorted":    func(m *manifest.Manifest) { m.Certificates = []string{hex64("d"), hex64("c")} },

		"no profile":              func(m *manifest.Manifest) { m.Profiles = nil },
		"unknown profile":         func(m *manifest.Manifest) { m.Profiles[0].Name = "none" },
		"profile twice":           func(m *manifest.Manifest) { m.Profiles[1].Name = "bound" },
		"profiles unsorted":       func(m *manifest.Manifest) { m.Profiles[0].Name, m.Profiles[1].Name = "selfcheck", "bound" },
		"loader digest":           func(m *manifest.Manifest) { m.Profiles[0].Loader.SHA256 = "" },
		"loader empty":            func(m *manifest.Manifest) { m.Profiles[0].Loader.Length = 0 },
		"metadata digest":         func(m *manifest.Manifest) { m.Profiles[0].Metadata.SHA256, m.Profiles[1].Metadata.SHA256 = "", "" },
		"profiles' metadata":      func(m *manifest.Manifest) { m.Profiles[1].Metadata.SHA256 = hex64("4") },
		"profiles' metadata size": func(m *manifest.Manifest) { m.Profiles[1].Metadata.Length++ },

		"program name":           func(m *manifest.Manifest) { m.Programs[0].Name = "a/../b" },
		"program name empty":     func(m *manifest.Manifest) { m.Programs[0].Name = "" },
		"program name long":      func(m *manifest.Manifest) { m.Programs[0].Name = strings.Repeat("n", 256) },
		"program twice":          func(m *manifest.Manifest) { m.Programs[1].Name = m.Programs[0].Name },
		"program kernel name":    func(m *manifest.Manifest) { m.Programs[0].KernelName = "sixteen_bytes_xx" },
		"program kernel letters": func(m *manifest.Manifest) { m.Programs[0].KernelName = "a-b" },
		"section empty":          func(m *manifest.Manifest) { m.Programs[0].Section = "" },
		"section with tab":       func(m *manifest.Manifest) { m.Programs[0].Section = "a\tb" },
		"program type":           func(m *manifest.Manifest) { m.Programs[0].Type = "LSM" },
		"program type empty":     func(m *manifest.Manifest) { m.Programs[0].Type = "" },
		"attach type":            func(m *manifest.Manifest) { m.Programs[0].AttachType = "mac" },
		"attach target":          func(m *manifest.Manifest) { m.Programs[0].AttachTarget = "file\x00open" },
		"flag":                   func(m *manifest.Manifest) { m.Programs[0].Flags = []string{"fast"} },
		"flags unsorted":         func(m *manifest.Manifest) { m.Programs[0].Flags = []string{"xdp-has-frags", "sleepable"} },
		"license long":           func(m *manifest.Manifest) { m.Programs[0].License = strings.Repeat("G", 128) },
		"license control":        func(m *manifest.Manifest) { m.Programs[0].License = "GPL\r" },
		"instructions digest":    func(m *manifest.Manifest) { m.Programs[0].Instructions.SHA256 = hex64("g") },
		"no instructions":        func(m *manifest.Manifest) { m.Programs[0].Instructions.Length = 0 },
		"half an instruction":    func(m *manifest.Manifest) { m.Programs[0].Instructions.Length = 12 },
		"helper twice":           func(m *manifest.Manifest) { m.Programs[0].Helpers = []string{"bpf_a", "bpf_a"} },
		"helper empty":           func(m *manifest.Manifest) { m.Programs[0].Helpers = []string{""} },
		"kfunc control":          func(m *manifest.Manifest) { m.Programs[0].Kfuncs = []string{"a\u2028b"} },
		"program's map":          func(m *manifest.Manifest) { m.Programs[0].Maps = []string{"nowhere"} },
		"attached by":            func(m *manifest.Manifest) { m.Programs[0].Attach.By, m.Programs[0].Attach.Link = "me", -1 },
		"link without kernel":    func(m *manifest.Manifest) { m.Programs[0].Attach.By = manifest.AttachByBroker },
		"kernel without link":    func(m *manifest.Manifest) { m.Programs[0].Attach.Link = -1 },
		"input kind":             func(m *manifest.Manifest) { m.Programs[1].Attach.Input = "path" },
		"input without kernel":   func(m *manifest.Manifest) { m.Programs[1].Attach.By, m.Programs[1].Attach.Link = "none", -1 },
		"input of the broker's":  func(m *manifest.Manifest) { m.Programs[1].Attach.Input = "tracepoint" },
		"broker without a target": func(m *manifest.Manifest) {
			m.Programs[1].Attach = manifest.Attach{By: "broker", Link: -1, InputSlot: -1}
		},
		"broker with a slot": func(m *manifest.Manifest) {
			m.Programs[1].Attach = manifest.Attach{By: "broker", Link: -1, InputSlot: 7, Input: "tracepoint"}
		},
		"slot without input": func(m *manifest.Manifest) { m.Programs[0].Attach.InputSlot = 5 },
		"input without slot": func(m *manifest.Manifest) { m.Programs[1].Attach.InputSlot = -1 },
		"1025 programs":      func(m *manifest.Manifest) { m.Programs = make([]manifest.Program, 1025) },

		"map name":        func(m *manifest.Manifest) { m.Maps[1].Name = ".." },
		"map name dot":    func(m *manifest.Manifest) { m.Maps[1].Name, m.Programs[0].Maps = ".", nil },
		"map name slash":  func(m *manifest.Manifest) { m.Maps[1].Name, m.Programs[0].Maps = "/", nil },
		"map twice":       func(m *manifest.Manifest) { m.Maps[1].Name, m.Programs[0].Maps, m.Globals = ".rodata", nil, nil },
		"map kernel name": func(m *manifest.Manifest) { m.Maps[1].KernelName = "a b" },
		"map type":        func(m *manifest.Manifest) { m.Maps[1].Type = "list" },
		"contents empty":  func(m *manifest.Manifest) { m.Maps[0].Contents.Length = 0 },
		"inner map type":  func(m *manifest.Manifest) { m.Maps[1].InnerMap.Type = "list" },
		"inner map slot":  func(m *manifest.Manifest) { m.Maps[1].InnerMap.Slot = 5 },
		"inner map's inner": func(m *manifest.Manifest) {
			m.Maps[1].InnerMap.InnerMap = &manifest.Map{Name: "x", Type: "array", Slot: -1}
		},
		"1025 maps": func(m *manifest.Manifest) { m.Maps = make([]manifest.Map, 1025) },

		"global empty":     func(m *manifest.Manifest) { m.Globals[0].Name = "" },
		"global's map":     func(m *manifest.Manifest) { m.Globals[0] = manifest.Global{Name: "g", Map: ".data"} },
		"global outside":   func(m *manifest.Manifest) { m.Globals[0].Offset = 5 },
		"global wraps":     func(m *manifest.Manifest) { m.Globals[0].Offset = 1<<32 - 1 },
		"global's type":    func(m *manifest.Manifest) { m.Globals[0].Type = "int\n" },
		"global's value":   func(m *manifest.Manifest) { m.Globals[0].Value = "0100" },
		"global's letters": func(m *manifest.Manifest) { m.Globals[0].Value = "0100000G" },
		"global value long": func(m *manifest.Manifest) {
			m.Maps[0].ValueSize, m.Globals[0].Size, m.Globals[0].Value = 100, 65, strings.Repeat("00", 65)
		},
		"65537 globals": func(m *manifest.Manifest) { m.Globals = make([]manifest.Global, 65537) },

		"symbol empty": func(m *manifest.Manifest) { m.Symbols[0].Name = "" },
		"symbol kind":  func(m *manifest.Manifest) { m.Symbols[0].Kind = "function" },
		"4097 symbols": func(m *manifest.Manifest) { m.Symbols = make([]manifest.Symbol, 4097) },

		"context of 0":               func(m *manifest.Manifest) { m.Context = 0 },
		"context odd":                func(m *manifest.Manifest) { m.Context++ },
		"context huge":               func(m *manifest.Manifest) { m.Context = 1 << 31 },
		"context short":              func(m *manifest.Manifest) { m.Context -= 8 },
		"slot negative":              func(m *manifest.Manifest) { m.Maps[0].Slot = -1 },
		"slot outside":               func(m *manifest.Manifest) { m.Programs[0].Slot = 8 },
		"slot shared":                func(m *manifest.Manifest) { m.Programs[0].Slot = 6 },
		"struct_ops without layouts": func(m *manifest.Manifest) { m.Maps[2].StructOps = nil },
		"layouts without struct_ops": func(m *manifest.Manifest) { m.Maps[1].StructOps = m.Maps[2].StructOps },
		"an empty list of layouts":   func(m *manifest.Manifest) { m.Maps[2].StructOps.Layouts = nil },
		"struct_ops without link":    func(m *manifest.Manifest) { m.Maps[2].Flags = 0 },
		"a layout beyond its value":  func(m *manifest.Manifest) { m.Maps[2].StructOps.Layouts[0].DataOffset = 40 },
		"a layout over the kernel's": func(m *manifest.Manifest) { m.Maps[2].StructOps.Layouts[0].DataOffset = 0 },
		"a value of no layout":       func(m *manifest.Manifest) { m.Maps[2].ValueSize = 128 },
		"a member beyond the end":    func(m *manifest.Manifest) { m.Maps[2].StructOps.Layouts[0].Members[1].Size = 17 },
		"members over each other":    func(m *manifest.Manifest) { m.Maps[2].StructOps.Layouts[0].Members[1].Offset = 12 },
		"a member of unknown kind":   func(m *manifest.Manifest) { m.Maps[2].StructOps.Layouts[0].Members[1].Kind = "thing" },
		"a function of four bytes":   func(m *manifest.Manifest) { m.Maps[2].StructOps.Layouts[0].Members[0].Size = 4 },
		"a function no layout has":   func(m *manifest.Manifest) { m.Maps[2].StructOps.Functions[0].Member = "undo" },
		"a function of no program":   func(m *manifest.Manifest) { m.Maps[2].StructOps.Functions[0].Program = "tc" },
		"struct_ops' link shared":    func(m *manifest.Manifest) { m.Maps[2].StructOps.Link = 10 },
		"link's slot shared":         func(m *manifest.Manifest) { m.Programs[0].Attach.Link = 0 },
		"input's shared":             func(m *manifest.Manifest) { m.Programs[1].Attach.InputSlot = 6 },
		"direction's shared":         func(m *manifest.Manifest) { m.Maps[0].Slot = 5 },

		"delegated command":              func(m *manifest.Manifest) { m.Delegation.Commands = []string{"reboot"} },
		"delegated map":                  func(m *manifest.Manifest) { m.Delegation.Maps = []string{"any"} },
		"delegated program":              func(m *manifest.Manifest) { m.Delegation.Programs = []string{"any"} },
		"delegated attach type":          func(m *manifest.Manifest) { m.Delegation.AttachTypes = []string{"any"} },
		"delegation out of order":        func(m *manifest.Manifest) { m.Delegation.Programs = []string{"lsm", "sched_cls"} },
		"delegated twice":                func(m *manifest.Manifest) { m.Delegation.Maps = []string{"array", "array"} },
		"capability":                     func(m *manifest.Manifest) { m.Capabilities = []string{"cap_bpf"} },
		"capability twice":               func(m *manifest.Manifest) { m.Capabilities = []string{"CAP_BPF", "CAP_BPF"} },
		"least kernel empty":             func(m *manifest.Manifest) { m.Kernel.Minimum = "" },
		"least kernel":                   func(m *manifest.Manifest) { m.Kernel.Minimum = "6" },
		"arena's place on another map":   func(m *manifest.Manifest) { m.Maps[0].ArenaOffset = 8 },
		"place without contents":         func(m *manifest.Manifest) { arenaOf(m).Contents, arenaOf(m).ArenaOffset = nil, 0 },
		"place of entries":               func(m *manifest.Manifest) { m.Maps[1].Contents, m.Maps[1].ContentsAt = m.Maps[0].Contents, 8 },
		"arena's place without contents": func(m *manifest.Manifest) { arenaOf(m).Contents, arenaOf(m).ContentsAt = nil, 0 },
		"arena's contents nowhere":       func(m *manifest.Manifest) { arenaOf(m).ContentsAt = 0 },
		"arena's contents past its end":  func(m *manifest.Manifest) { arenaOf(m).ArenaOffset = 65536 - 7 },
		"arena of more than 4 GiB":       func(m *manifest.Manifest) { arenaOf(m).MaxEntries = 1<<20 + 1 },
		"arena across 4 GiB":             func(m *manifest.Manifest) { arenaOf(m).Extra = 1<<44 - 4096 },
		"arena anywhere":                 func(m *manifest.Manifest) { arenaOf(m).Extra = 0 },
		"arena within a page":            func(m *manifest.Manifest) { arenaOf(m).Extra = 1<<44 + 8 },
		"arena in the kernel":            func(m *manifest.Manifest) { arenaOf(m).Extra = 1 << 47 },
		"arena that nobody maps":         func(m *manifest.Manifest) { arenaOf(m).Flags = 0 },
		"arena that is filled and kept":  func(m *manifest.Manifest) { arenaOf(m).Keep = hex64("7") },
		"arena used from inside":         func(m *manifest.Manifest) { m.Programs[0].Maps = []string{".rodata", "arena", "outer"} },
		"least kernel with zero":         func(m *manifest.Manifest) { m.Kernel.Minimum = "6.01" },
		"least kernel three":             func(m *manifest.Manifest) { m.Kernel.Minimum = "6.1.2" },
		"feature empty":                  func(m *manifest.Manifest) { m.Kernel.Needs[0].Feature = "" },
		"feature's release":              func(m *manifest.Manifest) { m.Kernel.Needs[0].Since = "soon" },
	}
	if err := full().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range cases {
		m := full()
		change(m)
		b, err := manifest.Encode(m)
		if err == nil {
			t.Errorf("%s: encoded to %s", name, b)
			continue
		}
		if strings.ContainsAny(err.Error(), "\n\r\x1b\x00\u202e\u2028") {
			t.Errorf("%s: error text %q", name, err)
		}
	}
}

// arenaOf is the arena of full.
func arenaOf(m *manifest.Manifest) *manifest.Map {
	return &m.Maps[slices.IndexFunc(m.Maps, func(p manifest.Map) bool { return p.IsArena() })]
}

// As many as docs/format.md says are taken, and not one more.
func TestCounts(t *testing.T) {
	for name, grow := range map[string]func(m *manifest.Manifest, n int){
		"1024 programs": func(m *manifest.Manifest, n int) {
			m.Programs, m.Globals, m.Maps = m.Programs[:0], nil, nil
			for i := range 1024 + n {
				m.Programs = append(m.Programs, manifest.Program{Name: fmt.Sprint("p", i), Section: "xdp", Type: "xdp", Instructions: blob("1", 8),
					Attach: manifest.Attach{By: manifest.AttachByNone, Link: -1, InputSlot: -1}, Slot: i})
			}
		},
		"1024 maps": func(m *manifest.Manifest, n int) {
			m.Programs, m.Globals, m.Maps = nil, nil, m.Maps[:0]
			for i := range 1024 + n {
				m.Maps = append(m.Maps, manifest.Map{Name: fmt.Sprint("m", i), Type: "array", Slot: i})
			}
		},
		"65536 globals": func(m *manifest.Manifest, n int) {
			m.Globals = slices.Repeat([]manifest.Global{{Name: "g", Map: ".rodata"}}, 65536+n)
		},
		"4096 symbols": func(m *manifest.Manifest, n int) {
			m.Symbols = slices.Repeat([]manifest.Symbol{{Name: "s", Kind: manifest.SymbolKfunc}}, 4096+n)
		},
		"64 annotations": func(m *manifest.Manifest, n int) {
			m.Annotations = make(map[string]string)
			for i := range 64 + n {
				m.Annotations[fmt.Sprint(i)] = ""
			}
		},
		"4096 slots": func(m *manifest.Manifest, n int) { m.Context = uint32(loadctx.Size(loadctx.MaxSlots)) + uint32(8*n) },
	} {
		m := full()
		m.Context, m.Tunables = uint32(loadctx.Size(loadctx.MaxSlots)), nil
		grow(m, 0)
		if _, err := manifest.Encode(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		m = full()
		m.Context, m.Tunables = uint32(loadctx.Size(loadctx.MaxSlots)), nil
		grow(m, 1)
		if _, err := manifest.Encode(m); err == nil {
			t.Errorf("%s and one more are taken", name)
		}
	}
}

func TestLongManifestsAreRefused(t *testing.T) {
	m := full()
	g := m.Globals[0]
	g.Name, g.Type = strings.Repeat("n", 255), strings.Repeat("x", 1024)
	m.Globals = slices.Repeat([]manifest.Global{g}, 4096)
	if b, err := manifest.Encode(m); err == nil {
		t.Errorf("%d bytes", len(b))
	}
	if _, err := manifest.Decode(make([]byte, manifest.MaxSize+1)); err == nil {
		t.Error("decoded")
	}
}

func FuzzDecode(f *testing.F) {
	b, err := manifest.Encode(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	paths, err := filepath.Glob("../../testdata/vectors/*.statement.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := manifest.Decode(in)
		if err != nil {
			return
		}
		out, err := manifest.Encode(m)
		if err != nil {
			t.Fatalf("decoded and not encoded: %v", err)
		}
		if _, err := manifest.Decode(out); err != nil {
			t.Fatalf("encoded and not decoded: %v", err)
		}
	})
}
