package manifest_test

import (
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Each change alone makes an input that nobody may take for a fact about the
// kernel, or a fact that lies where programs can change it.
func TestFactsAboutTheKernelStayFacts(t *testing.T) {
	for what, change := range map[string]func(m *manifest.Manifest, fact *manifest.Tunable, in *manifest.Map){
		"no source":      func(_ *manifest.Manifest, fact *manifest.Tunable, _ *manifest.Map) { fact.Source = "" },
		"another source": func(_ *manifest.Manifest, fact *manifest.Tunable, _ *manifest.Map) { fact.Source = "Kconfig" },
		"another map":    func(_ *manifest.Manifest, fact *manifest.Tunable, _ *manifest.Map) { fact.Map = ".rodata" },
		"another name":   func(_ *manifest.Manifest, fact *manifest.Tunable, _ *manifest.Map) { fact.Name = "CONFIG" },
		"a map's size": func(_ *manifest.Manifest, fact *manifest.Tunable, _ *manifest.Map) {
			fact.Name = ".kconfig.max_entries"
		},
		"a map that thaws":  func(_ *manifest.Manifest, _ *manifest.Tunable, in *manifest.Map) { in.Frozen = false },
		"a map to write to": func(_ *manifest.Manifest, _ *manifest.Tunable, in *manifest.Map) { in.Flags = 1024 },
		"a map of another name": func(_ *manifest.Manifest, fact *manifest.Tunable, in *manifest.Map) {
			in.Name, fact.Map = "kconfig", "kconfig"
		},
		"no contents":    func(_ *manifest.Manifest, _ *manifest.Tunable, in *manifest.Map) { in.Contents = nil },
		"beyond the map": func(_ *manifest.Manifest, fact *manifest.Tunable, _ *manifest.Map) { fact.Offset = 8 },
		"a setting in the map": func(m *manifest.Manifest, _ *manifest.Tunable, _ *manifest.Map) {
			i := slices.IndexFunc(m.Tunables, func(t manifest.Tunable) bool { return t.Name == "on" })
			m.Tunables[i].Map, m.Tunables[i].Offset = ".kconfig", 7
		},
	} {
		m := full()
		fact, in := &m.Tunables[0], &m.Maps[len(m.Maps)-1]
		if fact.Source == "" || in.Name != manifest.KconfigMap {
			t.Fatal("the manifest has another order")
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		if change(m, fact, in); m.Validate() == nil {
			t.Errorf("%s: taken", what)
		}
	}
}
