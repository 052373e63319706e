package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/tbpf-loader.deps anew")

const (
	depsFile = "../../testdata/tbpf-loader.deps"
	maxSize  = 4 << 20
)

// TestWhatTheLoaderLinks compares the packages that the trusted loader is made
// of with a list that people have read: what a machine trusts at boot does not
// grow unseen. What is internal to Go's library is not in it.
func TestWhatTheLoaderLinks(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOEXPERIMENT=nogreenteagc")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const own = "github.com/trustedbpf/tbpf/"
	var deps []string
	for _, dep := range strings.Fields(string(out)) {
		for _, no := range []string{
			"net/http", "os/exec", "runtime/cgo", "plugin", "html/template", "text/template", "flag", "debug/elf", "testing",
			"github.com/cilium/ebpf", "github.com/spf13/", "github.com/sigstore/", "github.com/BurntSushi/", own + "sign", own + "keys/signer", own + "keys/mldsa", "filippo.io/",
		} {
			if dep == no || strings.HasPrefix(dep, strings.TrimSuffix(no, "/")+"/") {
				t.Errorf("tbpf-loader links %s", dep)
			}
		}
		library := !strings.Contains(strings.SplitN(dep, "/", 2)[0], ".")
		if !library || !strings.HasPrefix(dep, "vendor/") && !strings.Contains("/"+dep+"/", "/internal/") {
			deps = append(deps, dep)
		}
	}
	got := strings.Join(deps, "\n") + "\n"
	if *update {
		if err := os.WriteFile(depsFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(depsFile)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the packages are others than %s has: read what is new, then go test -update\n%s", depsFile, difference(string(want), got))
	}
}

// difference lists the lines that only one of two texts has.
func difference(want, got string) string {
	var b strings.Builder
	for _, side := range []struct{ sign, text, other string }{{"-", want, got}, {"+", got, want}} {
		for line := range strings.Lines(side.text) {
			if !strings.Contains("\n"+side.other, "\n"+line) {
				b.WriteString(side.sign + line)
			}
		}
	}
	return b.String()
}

// TestTheSizeOfTheLoader builds the loader as the Makefile does: without
// inlining, which saves 7 % of its size, with functions packed closely, which
// saves 2 %, and with the garbage collector of Go 1.25, which saves 1 %.
func TestTheSizeOfTheLoader(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles everything")
	}
	info, err := os.Stat(build(t, "-s -w"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, of %d", info.Size(), maxSize)
	if info.Size() > maxSize {
		t.Errorf("%d bytes: %d more than the %d that it may have", info.Size(), info.Size()-maxSize, maxSize)
	}
}

// build links the loader as the Makefile does.
func build(t *testing.T, flags string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "tbpf-loader")
	cmd := exec.Command("go", "build", "-trimpath", "-gcflags=all=-l", "-ldflags="+flags+" -funcalign=1", "-o", out, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOEXPERIMENT=nogreenteagc")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// TestWhatTheLoaderDoesNotNeed holds what makes it small. Each of these functions
// brings others with it, tens of kilobytes, and the reason why it is linked may be
// far from it: what is put into an interface, or is an argument of a generic
// function, keeps the methods of every type in it.
func TestWhatTheLoaderDoesNotNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles everything")
	}
	symbols, err := exec.Command("go", "tool", "nm", build(t, "-w")).Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := make(map[string]bool)
	for line := range strings.Lines(string(symbols)) {
		if fields := strings.Fields(line); len(fields) >= 3 {
			linked[fields[2]] = true
		}
	}
	for name, instead := range map[string]string{
		"crypto/x509/pkix.Name.String": "keys.SubjectOf, and lists of certificates, keys or signers go to no function of package slices and into no interface (100 kB)",
		"encoding/asn1.Marshal":        "golang.org/x/crypto/cryptobyte",
		"errors.As":                    "errors.AsType",
		"os.StartProcess":              "syscall.ForkExec",
		"net/url.(*URL).String":        "what does not hold a certificate",
	} {
		if linked[name] {
			t.Errorf("it links %s: use %s", name, instead)
		}
	}
	if !linked["main.main"] {
		t.Error("it links nothing")
	}
}
