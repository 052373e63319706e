package verify_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

const badDir = "../testdata/bad"

// bad is one file that must be refused. In testdata it is NAME.tbpf, with
// NAME.seal and NAME.policy.toml if it has a detached seal or a policy, in the
// directory of its reason.
type bad struct {
	reason verify.Reason
	name   string
	file   []byte
	seal   []byte // nil: attached
	policy string
}

func (b *bad) options(t testing.TB, ring *keys.Keyring) verify.Options {
	t.Helper()
	opt := verify.Options{Keyring: ring, Now: now(), Seal: b.seal}
	if b.policy != "" {
		p, err := policy.Parse([]byte(b.policy))
		if err != nil {
			t.Fatal(err)
		}
		opt.Policy = p
	}
	return opt
}

func badCases(t testing.TB) []bad {
	return slices.Concat(badFrames(t), badRecords(t), badKeys(t), badSignatures(t), badManifests(t),
		badContents(t), badKernelSignatures(t), badSigners(t))
}

// Each case is made anew and refused for its reason.
func TestBadFilesAreRefusedForTheirReason(t *testing.T) {
	ring := vectorRing(t)
	seen := make(map[string]bool)
	for _, b := range badCases(t) {
		id := string(b.reason) + "/" + b.name
		if seen[id] {
			t.Fatalf("two cases %s", id)
		}
		seen[id] = true
		t.Run(id, func(t *testing.T) { mustRefuse(t, b.file, b.options(t, ring), b.reason) })
	}
}

// The files in testdata are for other implementations and for the command
// line's tests; they must stay refused for the reason that their directory names.
func TestCommittedBadFiles(t *testing.T) {
	cases := badCases(t)
	if *update {
		writeBad(t, cases)
	}
	want := make(map[string]bool)
	for _, b := range cases {
		want[string(b.reason)+"/"+b.name] = true
	}
	ring := vectorRing(t)
	paths, err := filepath.Glob(filepath.Join(badDir, "*", "*.tbpf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b := readBad(t, path)
		id := string(b.reason) + "/" + b.name
		if !want[id] {
			t.Errorf("%s is not among the cases", path)
		}
		delete(want, id)
		t.Run(id, func(t *testing.T) { mustRefuse(t, b.file, b.options(t, ring), b.reason) })
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		t.Errorf("%s is missing from testdata/bad: go test ./verify -update", id)
	}
}

func readBad(t testing.TB, path string) bad {
	t.Helper()
	base := strings.TrimSuffix(path, ".tbpf")
	b := bad{reason: verify.Reason(filepath.Base(filepath.Dir(path))), name: filepath.Base(base)}
	read := func(ext string) []byte {
		data, err := os.ReadFile(base + ext)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return data
	}
	b.file, b.seal, b.policy = read(".tbpf"), read(".seal"), string(read(".policy.toml"))
	return b
}

// writeBad writes the cases, and removes files that are none any more.
func writeBad(t testing.TB, cases []bad) {
	t.Helper()
	keep := map[string]bool{filepath.Join(badDir, "README.md"): true}
	for _, b := range cases {
		base := filepath.Join(badDir, string(b.reason), b.name)
		if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
			t.Fatal(err)
		}
		for ext, data := range map[string][]byte{".tbpf": b.file, ".seal": b.seal, ".policy.toml": []byte(b.policy)} {
			if len(data) == 0 && ext != ".tbpf" {
				continue
			}
			keep[base+ext] = true
			if old, err := os.ReadFile(base + ext); err == nil && bytes.Equal(old, data) {
				continue
			}
			if err := os.WriteFile(base+ext, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := filepath.WalkDir(badDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || keep[path] {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func vectorRing(t testing.TB) *keys.Keyring {
	t.Helper()
	ring, err := keys.LoadKeyring([]string{filepath.Join(vectorDir, "keyring")})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
