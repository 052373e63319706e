package imasig_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"crypto/x509"

	"github.com/trustedbpf/tbpf/internal/imasig"
	"github.com/trustedbpf/tbpf/internal/vmtest"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
)

// TestEvmctlTakesIt has ima-evm-utils verify signatures of each kind of key, and
// refuse them for another file.
func TestEvmctlTakesIt(t *testing.T) {
	evmctl := tool(t)
	for _, algorithm := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072"} {
		t.Run(algorithm, func(t *testing.T) {
			key, err := signer.Generate(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			defer key.Close()
			der, err := key.Certificate(signer.CertificateOptions{Name: "test", Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			cert, err := keys.ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
			if err != nil {
				t.Fatal(err)
			}
			if !imasig.EvmctlFinds(cert) {
				t.Error("evmctl would not find the key of a certificate of keygen's")
			}
			file := []byte("a program")
			value, err := key.Sign(file)
			if err != nil {
				t.Fatal(err)
			}
			sig, err := imasig.Encode(cert, value)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			write := func(name string, data []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			certificate, program := write("cert.der", der), write("program", file)
			write("program.sig", sig)
			verify := func() error {
				out, err := exec.Command(evmctl, "ima_verify", "--sigfile", "--key", certificate, program).CombinedOutput()
				t.Logf("%s", out)
				return err
			}
			if err := verify(); err != nil {
				t.Error(err)
			}
			write("program", []byte("A program"))
			if verify() == nil {
				t.Error("evmctl takes it for another file: the test shows nothing")
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	key, err := signer.Generate("ed25519")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	if _, err := imasig.Encode(&x509.Certificate{PublicKey: key.Public(), SubjectKeyId: make([]byte, 20)}, make([]byte, 64)); err == nil {
		t.Error("a key that the kernel does not take")
	}
	if imasig.EvmctlFinds(&x509.Certificate{}) {
		t.Error("no key is found")
	}
}

// tool finds evmctl, which CI must have.
func tool(t *testing.T) string {
	t.Helper()
	if cache, err := vmtest.CacheDir(); err == nil {
		if path := filepath.Join(cache, "bin", "evmctl"); exec.Command(path, "--version").Run() == nil {
			return path
		}
	}
	path, err := exec.LookPath("evmctl")
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatal("evmctl is missing: run scripts/install-tools evmctl")
	}
	t.Skip("evmctl is missing: run scripts/install-tools evmctl")
	return ""
}
