package corpus

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/fixture"
)

func TestCellSaysHowAnObjectFared(t *testing.T) {
	set := &fixture.Set{Fixtures: []fixture.Fixture{{Name: "new", Needs: fixture.Needs{Kernel: "6.12"}}}}
	tests := []struct {
		name    string
		object  Result
		outcome Outcome
		want    string
	}{
		{"both", Result{Sealed: true}, Outcome{Sealed: Loaded, Bare: Loaded}, "loads"},
		{"sealed alone", Result{Sealed: true}, Outcome{Sealed: Loaded, Bare: "no"}, "loads sealed only"},
		{"no target", Result{Sealed: true}, Outcome{Sealed: Unattached + "x", Bare: Loaded}, "loads, no target"},
		{"no optional program", Result{Sealed: true}, Outcome{Sealed: WithoutOptional + "x", Libbpf: Loaded}, "loads without optional programs"},
		{"refused at signing", Result{}, Outcome{Bare: Loaded}, "bare only"},
		{"tbpf's fault", Result{Sealed: true}, Outcome{Sealed: "error: x", Bare: Loaded}, "**bare only**"},
		{"neither", Result{Sealed: true}, Outcome{Sealed: "error: x", Bare: "no"}, "neither"},
		{"too old a kernel", Result{Source: Fixtures, Name: "new.bpf.o", Sealed: true}, Outcome{Sealed: "unsupported: x", Bare: "no"}, "needs 6.12"},
	}
	for _, test := range tests {
		test.object.Kernels = Outcomes{"6.1": test.outcome}
		if got := cell(&test.object, "6.1", set); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestTallyCountsOnlyWhatLoadsBare(t *testing.T) {
	r := &Results{Kernels: map[string]string{"6.1": "", "6.12": ""}, Objects: []Result{
		{Source: "s", Sealed: true, Kernels: Outcomes{"6.1": {Sealed: Loaded, Bare: Loaded}}},
		{Source: "s", Sealed: true, Kernels: Outcomes{"6.1": {Sealed: Unattached, Bare: Loaded}}},
		{Source: "s", Kernels: Outcomes{"6.1": {Bare: Loaded}}},
		{Source: "s", Sealed: true, Kernels: Outcomes{"6.1": {Sealed: Loaded, Bare: "no"}}},
		{Source: "s", Sealed: true, Kernels: Outcomes{"6.1": {Sealed: "no", Bare: "no"}}},
	}}
	want := "s: 5 objects, 4 sealed; 6.1: 2 of 3 and 1 more; 6.12: 0 of 0\n"
	if got := r.Tally(); got != want {
		t.Errorf("tally %q, want %q", got, want)
	}
}

func TestKernelLinesAreInTheirOrder(t *testing.T) {
	r := &Results{Kernels: map[string]string{"7.3": "", "6.12": "", "6.1": "", "7.10": "", "6.18": ""}}
	if got, want := r.lines(), []string{"6.1", "6.12", "6.18", "7.3", "7.10"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDebianVersionIsThatOfTheChangeLog(t *testing.T) {
	tests := []struct{ text, want string }{
		{"xdp-tools (1.5.4-1) unstable; urgency=medium\n\n  * Words.\n", "1.5.4-1"},
		{"p (2) sid; urgency=low\n" + strings.Repeat("x", 1000), "2"},
		{"no change log", ""},
		{"", ""},
	}
	for _, test := range tests {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write([]byte(test.text))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "changelog.gz")
		if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := debianVersion(path)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%.20q: %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}
