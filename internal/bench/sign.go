package bench

import (
	"fmt"
	"os"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// The object that is signed: an LSM program, two maps, globals and CO-RE.
const signedFixture = "fileguard"

// sign measures signing with the keys that people have.
func (b *bench) sign() error {
	for _, algorithm := range []string{"ecdsa-p256", "rsa-4096"} {
		key, cert, err := b.key(algorithm)
		if err != nil {
			return err
		}
		object := b.fixture(signedFixture)
		sealed := b.path("signed.tbpf")
		tbpf := b.signing(object, sealed, algorithm)
		if _, err := output(tbpf...); err != nil {
			return err
		}
		payloads, err := b.payloads(sealed)
		if err != nil {
			return err
		}
		faster, bare := 1.0, 0.0
		if algorithm == "rsa-4096" {
			// bpftool makes one signature to our four: with RSA that decides.
			// They are made at once, so what one costs is CPU time.
			faster, bare = 0, 1.2
		}
		err = b.contest(Contest{
			Title:  fmt.Sprintf("Sign %s.bpf.o with %s", signedFixture, algorithm),
			Memory: true,
			Contestants: []Contestant{
				{Process: Process{Name: "tbpf sign (4 signatures)", Args: tbpf}},
				{Process: Process{Name: "bare signatures in Go (4, of the same bytes)", Args: append([]string{b.own("baresign"), key}, payloads...)}, Aim: bare, AimCPU: true},
				{Process: Process{Name: "bpftool gen skeleton -L -S (1 signature)", Args: b.tool("gen", "skeleton", "-L", "-S", "-k", key, "-i", cert, object)}, Aim: faster},
				{Process: Process{Name: "openssl cms -sign (1 signature)", Args: b.opensslSign(object, key, cert, b.path("signed.cms"))}},
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// signing is tbpf's command line for it.
func (b *bench) signing(object, sealed, algorithm string, more ...string) []string {
	return append([]string{b.own("tbpf"), "sign", object, "--key", b.path(algorithm + ".key"), "--cert", b.path(algorithm + ".crt"),
		"-o", sealed, "--force"}, more...)
}

// key makes a private key, as plain PEM, and its certificate.
func (b *bench) key(algorithm string) (key, cert string, err error) {
	key, cert = b.path(algorithm+".key"), b.path(algorithm+".crt")
	if _, err := os.Stat(key); err == nil {
		return key, cert, nil
	}
	_, err = output(b.own("tbpf"), "keygen", "--name", algorithm, "--algorithm", algorithm, "--no-password", "--out", b.dir)
	return key, cert, err
}

// payloads extracts what the four signatures of a seal cover.
func (b *bench) payloads(sealed string) ([]string, error) {
	files := []string{b.path("manifest.payload")}
	if _, err := output(b.own("tbpf"), "extract", sealed, "--manifest", "-o", files[0], "--force"); err != nil {
		return nil, err
	}
	for _, p := range bpfabi.Profiles() {
		file := b.path(p.String() + ".payload")
		if _, err := output(b.own("tbpf"), "extract", sealed, "--kernel-payload", p.String(), "-o", file, "--force"); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// opensslSign makes the same form of signature as a kernel takes.
func (b *bench) opensslSign(file, key, cert, out string) []string {
	return []string{b.openssl, "cms", "-sign", "-binary", "-noattr", "-nocerts", "-keyid", "-nosmimecap",
		"-md", "sha256", "-outform", "DER", "-in", file, "-signer", cert, "-inkey", key, "-out", out}
}
