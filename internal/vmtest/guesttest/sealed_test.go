//go:build vmguest

package guesttest

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
)

// profiles are the signing contracts of the suite's kernels. The others check
// no signatures.
var profiles = map[string]bpfabi.Profile{
	"6.18": bpfabi.Selfcheck,
	"7.2":  bpfabi.SelfcheckExcl,
	"7.3":  bpfabi.Bound,
}

// kernel is the kernel that this test runs on, as the suite names it.
func kernel(t *testing.T) string {
	t.Helper()
	name := os.Getenv("TBPF_KERNEL")
	if name == "" {
		t.Fatal("TBPF_KERNEL does not name the kernel")
	}
	return name
}

// decode takes a sealed fixture apart without verifying it.
func decode(t *testing.T, fixture string) (*seal.Seal, *manifest.Manifest) {
	t.Helper()
	file, err := os.ReadFile(sealedPath(fixture))
	if err != nil {
		t.Fatal(err)
	}
	_, sealBytes, err := seal.Split(file)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := seal.Decode(sealBytes)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Decode(decoded.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return decoded, m
}

// manifestOf is the manifest in a sealed fixture.
func manifestOf(t *testing.T, fixture string) *manifest.Manifest {
	t.Helper()
	_, m := decode(t, fixture)
	return m
}

// loaderOf is the loader program of a sealed fixture for one profile, in
// memory of its own.
func loaderOf(t *testing.T, fixture string, profile bpfabi.Profile) attempt {
	t.Helper()
	sealed, m := decode(t, fixture)
	for _, loader := range sealed.Loaders {
		if loader.Profile == profile {
			return attempt{
				profile:      profile,
				instructions: slices.Clone(loader.Instructions),
				metadata:     slices.Clone(sealed.Metadata),
				signature:    slices.Clone(loader.CMS),
				context:      int(m.Context),
			}
		}
	}
	t.Fatalf("%s has no profile %s", fixture, profile)
	return attempt{}
}

func sealedPath(fixture string) string { return "sealed/" + fixture + ".bpf.tbpf" }

// certificate reads a certificate's DER.
func certificate(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return block.Bytes
}
