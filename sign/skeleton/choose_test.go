package skeleton

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// TestProgramsCanBeLeftOut: they are in neither the manifest nor the metadata,
// and what the manifest says makes the same loader programs again.
func TestProgramsCanBeLeftOut(t *testing.T) {
	object, err := os.ReadFile("../../testdata/multi.bpf.o")
	if err != nil {
		t.Fatal(err)
	}
	all := generate(t, object)
	if len(all.Manifest.Programs) < 2 {
		t.Fatalf("%d programs: no fixture for this test", len(all.Manifest.Programs))
	}
	out := all.Manifest.Programs[0]
	s, err := Generate(object, Options{Without: []string{out.Name}})
	if err != nil {
		t.Fatal(err)
	}
	named := func(p manifest.Program) bool { return p.Name == out.Name }
	if slices.ContainsFunc(s.Manifest.Programs, named) || len(s.Manifest.Programs) != len(all.Manifest.Programs)-1 {
		t.Errorf("%q was left out, and the manifest has %d of %d programs", out.Name, len(s.Manifest.Programs), len(all.Manifest.Programs))
	}
	again, err := Generate(object, OptionsOf(&s.Manifest))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Metadata, again.Metadata) {
		t.Error("the manifest's programs give other metadata")
	}
	if bytes.Equal(s.Metadata, all.Metadata) {
		t.Error("the metadata is that of all programs")
	}
}

func TestWhatCannotBeLeftOut(t *testing.T) {
	for _, test := range []struct {
		object  string
		without []string
		why     string
	}{
		{"multi", []string{"no_such_program"}, "none of this name"},
		{"optional", []string{"always", "always"}, "twice"},
		{"tailcall", []string{"first"}, "no program of this object"},
	} {
		object, err := os.ReadFile("../../testdata/" + test.object + ".bpf.o")
		if err != nil {
			t.Fatal(err)
		}
		_, err = Generate(object, Options{Without: test.without})
		var refused *UnsupportedError
		if !errors.As(err, &refused) || !strings.Contains(refused.Why, test.why) {
			t.Errorf("%s without %q: %v, want %q", test.object, test.without, err, test.why)
		}
	}
}
