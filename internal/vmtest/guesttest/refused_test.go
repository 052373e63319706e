//go:build vmguest

package guesttest

import (
	"os"
	"testing"
)

// Where the kernel cannot check signatures nothing is loaded, unless the user
// says that tbpf's own check is enough.
func TestKernelsMustCheckUnlessToldOtherwise(t *testing.T) {
	result, err := load(sealedPath(signedFixture), "--pin", pinDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, signed := profiles[kernel(t)]; !signed {
		if result.code != 23 || result.Verdict != "unsupported" {
			t.Errorf("want exit 23 and unsupported: %v", result.answer)
		}
		return
	}
	if err := result.check(kernel(t)); err != nil {
		t.Fatal(err)
	}
	if a, err := tbpf("unload", "--pin", pinDir, result.Name); err != nil || a.code != 0 {
		t.Fatalf("unload: %v %v", err, a)
	}
	expectGone(t, result)
}

// What tbpf itself refuses never reaches the kernel.
func TestUntrustedAndDamagedFilesAreNotLoaded(t *testing.T) {
	sealed, err := os.ReadFile(sealedPath(signedFixture))
	if err != nil {
		t.Fatal(err)
	}
	object := len(sealed) / 8
	damaged := map[string]func([]byte) []byte{
		"object":    func(b []byte) []byte { flip(b, object); return b },
		"seal":      func(b []byte) []byte { flip(b, len(b)-200); return b },
		"cut short": func(b []byte) []byte { return b[:len(b)-1] },
	}
	want := map[string]int{"object": 11, "seal": 11, "cut short": 10}
	for name, damage := range damaged {
		path := t.TempDir() + "/damaged.tbpf"
		if err := os.WriteFile(path, damage(append([]byte(nil), sealed...)), 0o644); err != nil {
			t.Fatal(err)
		}
		expectRefused(t, name, want[name], "load", path, "--keyring", "keys/suite.crt", "--pin", pinDir)
	}
	expectRefused(t, "stranger's keyring", 12, "load", sealedPath(signedFixture), "--keyring", "keys/stranger.crt", "--pin", pinDir)
	expectRefused(t, "bare object", 10, "load", testdata+"/"+signedFixture+".bpf.o", "--keyring", "keys/suite.crt", "--pin", pinDir)
}

func expectRefused(t *testing.T, name string, code int, args ...string) {
	t.Helper()
	before := programs(t)
	a, err := tbpf(args...)
	if err != nil {
		t.Fatal(err)
	}
	if a.code != code {
		t.Errorf("%s: want exit %d: %v", name, code, a)
	}
	expectNothingNew(t, name, before)
}
