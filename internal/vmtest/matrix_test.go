package vmtest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// The matrix says for every fixture and kernel what the suite expects, and
// nothing else: a fixture that it forgets would be proven nowhere.
func TestMatrixIsComplete(t *testing.T) {
	testdata := filepath.Join("..", "..", "testdata")
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(testdata, "matrix.json"))
	if err != nil {
		t.Fatal(err)
	}
	var matrix map[string]map[vmtest.Kernel]string
	if err := json.Unmarshal(data, &matrix); err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Fixtures {
		for _, kernel := range vmtest.Kernels() {
			if matrix[f.Name][kernel] == "" {
				t.Errorf("no word on %s and kernel %s", f.Name, kernel)
			}
			runs, err := f.Needs.Runs(string(kernel))
			if err != nil {
				t.Fatal(err)
			}
			if !runs && matrix[f.Name][kernel] == "loads" {
				t.Errorf("%s loads on %s, where fixtures.json says that it needs %s", f.Name, kernel, f.Needs.Kernel)
			}
		}
	}
	for name := range matrix {
		if !slices.ContainsFunc(set.Fixtures, func(f fixture.Fixture) bool { return f.Name == name }) {
			t.Errorf("%s is no fixture", name)
		}
	}
}
