package loader

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Constants are compared with the signed metadata, byte by byte, and a machine's
// settings with what it set.
func TestConstantsMustBeThoseThatWereSigned(t *testing.T) {
	const at, slots = 64, 1
	metadata := make([]byte, 128)
	signed := metadata[at:][:16]
	copy(signed, "signed constants")
	sum := sha256.Sum256(signed)
	for name, c := range map[string]struct {
		value  string // in the kernel
		change func(*manifest.Map, *run)
		good   bool
	}{
		"as signed":           {value: "signed constants", good: true},
		"one byte":            {value: "signed constantS"},
		"first byte":          {value: "\x00igned constants"},
		"set":                 {value: "signxd constants", change: setting('x'), good: true},
		"set otherwise":       {value: "signyd constants", change: setting('x')},
		"not set":             {value: "signed constants", change: setting('x')},
		"beside what was set": {value: "signxd constantS", change: setting('x')},
		"no contents":         {value: "signed constants", change: func(m *manifest.Map, _ *run) { m.Contents, m.ContentsAt = nil, 0 }},
		"zeroes":              {value: string(make([]byte, 16)), change: func(m *manifest.Map, _ *run) { m.Contents, m.ContentsAt = nil, 0 }, good: true},
		"nowhere":             {value: "signed constants", change: func(m *manifest.Map, _ *run) { m.ContentsAt = 0 }},
		"past the end":        {value: "signed constants", change: func(m *manifest.Map, _ *run) { m.ContentsAt = 120 }},
		"elsewhere":           {value: "signed constants", change: func(m *manifest.Map, _ *run) { m.ContentsAt = 72 }},
		"too short":           {value: "signed constants", change: func(m *manifest.Map, _ *run) { m.Contents.Length = 15 }},
		"other contents":      {value: "signed constants", change: func(m *manifest.Map, r *run) { r.src.metadata = make([]byte, 128) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := manifest.Map{Name: ".rodata", Type: "array", ValueSize: 16, Frozen: true, ContentsAt: at,
				Contents: &manifest.Blob{SHA256: hex.EncodeToString(sum[:]), Length: 16}}
			r := &run{manifest: &manifest.Manifest{Context: uint32(loadctx.Size(slots))}, src: sealed{metadata: metadata}, settings: kernelload.Settings{}}
			if c.change != nil {
				c.change(&p, r)
			}
			r.manifest.Maps = []manifest.Map{p}
			fd := makeMap(t, &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: 1,
				Contents: []ebpf.MapKV{{Key: uint32(0), Value: []byte(c.value)}}})
			l := &Loaded{maps: map[string]*bpfsys.FD{".rodata": fd}}
			switch err := l.checkContents(r); {
			case c.good && err != nil:
				t.Error(err)
			case !c.good:
				mustRefuse(t, err, Failed, "not-what-was-signed")
			}
		})
	}
}

// setting lets the machine set the fifth byte.
func setting(to byte) func(*manifest.Map, *run) {
	return func(_ *manifest.Map, r *run) {
		end := r.manifest.Context
		r.settings.Tunables = []byte{to, 0, 0, 0, 0, 0, 0, 0}
		r.manifest.Context = end + 8
		r.manifest.Tunables = []manifest.Tunable{{Name: "letter", Map: ".rodata", Kind: manifest.TunableUnsigned, Offset: 4, Size: 1, Context: end}}
	}
}
