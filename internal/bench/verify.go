package bench

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// verify measures verification of objects of several sizes. openssl checks one
// signature of the object; tbpf checks the same object, and besides it the
// loader programs with their three kernel signatures, and the policy.
func (b *bench) verify() error {
	if _, err := exec.LookPath("cosign"); err != nil {
		fmt.Fprintln(b.Out, "\ncosign is not measured: scripts/install-tools cosign builds it, in minutes")
	}
	for _, c := range []struct {
		algorithm, fixture string
		size               int // bytes; 0: as it is
	}{
		{"ecdsa-p256", "fileguard", 0},
		{"rsa-4096", "fileguard", 0},
		{"ecdsa-p256", "large", 0},
		{"ecdsa-p256", "large", 1 << 20},
		{"ecdsa-p256", "large", 16 << 20},
	} {
		if err := b.verifyOne(c.algorithm, c.fixture, c.size); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) verifyOne(algorithm, fixture string, size int) error {
	key, cert, err := b.key(algorithm)
	if err != nil {
		return err
	}
	object, err := os.ReadFile(b.fixture(fixture))
	if err != nil {
		return err
	}
	if size > len(object) {
		// As an object is that kept its debugging sections. Readers of ELF pass
		// over what no section header names.
		object = append(object, make([]byte, size-len(object))...)
	}
	file, err := b.write("verified.bpf.o", object)
	if err != nil {
		return err
	}
	sealed, signature := b.path("verified.tbpf"), b.path("verified.cms")
	if _, err := output(b.signing(file, sealed, algorithm)...); err != nil {
		return err
	}
	if _, err := output(b.opensslSign(file, key, cert, signature)...); err != nil {
		return err
	}
	cosign, err := b.cosignVerify(sealed, cert, file)
	if err != nil {
		return err
	}
	return b.contest(Contest{
		Title:  fmt.Sprintf("Verify %s.bpf.o, %d bytes, %s", fixture, len(object), algorithm),
		Memory: true,
		Contestants: append([]Contestant{
			{Process: Process{Name: "tbpf verify (4 signatures)", Args: []string{b.own("tbpf"), "verify", sealed, "--keyring", cert}}},
			{Process: Process{Name: "openssl cms -verify (1 signature)", Args: []string{b.openssl, "cms", "-verify", "-binary", "-inform", "DER",
				"-in", signature, "-content", file, "-certfile", cert, "-CAfile", cert, "-no-CApath", "-no-CAstore",
				"-purpose", "any", "-out", os.DevNull}}, Aim: 1},
		}, cosign...),
	})
}

// cosignVerify is cosign with the same manifest, if scripts/install-tools has
// built it. It checks one signature, and of the object its digest.
func (b *bench) cosignVerify(sealed, cert, object string) ([]Contestant, error) {
	cosign, err := exec.LookPath("cosign")
	if err != nil {
		return nil, nil // verify says so
	}
	envelope, public := b.path("verified.json"), b.path("verified.pub")
	if _, err := output(b.own("tbpf"), "extract", sealed, "--envelope", "--force", "-o", envelope); err != nil {
		return nil, err
	}
	if _, err := output(b.openssl, "x509", "-in", cert, "-noout", "-pubkey", "-out", public); err != nil {
		return nil, err
	}
	return []Contestant{{Process: Process{Name: "cosign verify-blob-attestation (1 signature)", Args: []string{cosign, "verify-blob-attestation",
		"--key", public, "--insecure-ignore-tlog", "--new-bundle-format=false", "--signature", envelope, "--type", manifest.PredicateType, object}}, Aim: 0.2}}, nil
}
