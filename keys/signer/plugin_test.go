package signer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/keys"
)

// TestMain makes the test's binary a KMS plugin where it is called as one.
func TestMain(m *testing.M) {
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), pluginPrefix); ok {
		fakePlugin(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakePlugin holds the key in FAKE_KEY, and lies as its name says.
func fakePlugin(name string) {
	var call pluginCall
	if err := json.Unmarshal([]byte(os.Args[2]), &call); err != nil || os.Args[1] != "v1" || call.Init.Protocol != "v1" {
		fmt.Printf(`{"errorMessage":"no call of the protocol"}`)
		return
	}
	if os.Getenv("TBPF_PASSWORD") != "" {
		fmt.Printf(`{"errorMessage":"a plugin was given the password of another key"}`)
		return
	}
	block, _ := pem.Decode([]byte(os.Getenv("FAKE_KEY")))
	parsed, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	key := parsed.(crypto.Signer)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	switch name {
	case "silent":
		return
	case "garbage":
		fmt.Println("not JSON")
		return
	case "endless":
		for range 1 << 12 {
			fmt.Print(strings.Repeat("x", 1024))
		}
		return
	case "error":
		fmt.Printf("{\"errorMessage\":\"no such key\\nsecond line\"}")
		os.Exit(1)
	case "dies":
		fmt.Fprintln(os.Stderr, "lost the token")
		os.Exit(3)
	case "empty":
		fmt.Print("{}")
		return
	}
	if call.Method == "publicKey" {
		der, _ := x509.MarshalPKIXPublicKey(key.Public())
		json.NewEncoder(os.Stdout).Encode(map[string]any{"publicKey": map[string]any{"publicKeyPEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}})
		return
	}
	digest, hash := call.Sign.Options.Message.Digest, crypto.Hash(0)
	if h := call.Sign.Options.Message.Hash; h != nil {
		hash = *h
	} else {
		var b bytes.Buffer
		b.ReadFrom(os.Stdin)
		digest = b.Bytes()
	}
	switch name {
	case "otherkey":
		key = other
	case "otherdigest":
		digest = make([]byte, len(digest))
	}
	sig, _ := key.Sign(rand.Reader, digest, hash)
	switch name {
	case "nosignature":
		sig = nil
	case "oldsignature":
		sig = []byte("signature")
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"signMessage": map[string]any{"signature": sig}})
}

// plugins puts the test's binary into PATH as a plugin of these names.
func plugins(t *testing.T, names ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, pluginPrefix+name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func fakeKey(t *testing.T, algorithm string) *Signer {
	t.Helper()
	s, err := Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.MarshalPlain()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKE_KEY", string(plain))
	return s
}

func TestAPluginSigns(t *testing.T) {
	plugins(t, "honest", "pkcs11")
	t.Setenv("TBPF_PASSWORD", "hunter2")
	for _, algorithm := range []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072", "ed25519"} {
		want := fakeKey(t, algorithm)
		for _, ref := range []string{"honest://name", "pkcs11:object=name"} {
			s, err := Open(ref, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.ID() != want.ID() {
				t.Errorf("%s: another key", algorithm)
			}
			sig, err := s.Sign([]byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			if err := keys.Verify(want.Public(), want.Algorithm(), []byte("message"), sig); err != nil {
				t.Error(err)
			}
			s.Close()
		}
	}
}

// What a plugin says is not believed.
func TestAPluginThatLiesIsCaught(t *testing.T) {
	plugins(t, "otherkey", "otherdigest", "nosignature", "oldsignature")
	fakeKey(t, "ecdsa-p256")
	for _, name := range []string{"otherkey", "otherdigest", "nosignature", "oldsignature"} {
		s, err := Open(name+"://key", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if sig, err := s.Sign([]byte("message")); err == nil || sig != nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestAPluginThatFailsIsTold(t *testing.T) {
	plugins(t, "silent", "garbage", "endless", "error", "dies", "empty")
	fakeKey(t, "ecdsa-p256")
	for name, want := range map[string]string{
		"silent": "gave no answer", "garbage": "gave no answer", "endless": "too long", "empty": "no public key",
		"error": "the plugin: no such key", "dies": "lost the token", "absent": "there is no program sigstore-kms-absent in PATH",
	} {
		s, err := Open(name+"://key", Options{})
		var e *Error
		if s != nil || !errors.As(err, &e) || e.Reason != ReasonPlugin || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A PIN in a reference stands in the arguments of the process. It is refused
// before anything is run, and not repeated.
func TestAPINInAReferenceIsRefused(t *testing.T) {
	plugins(t, "pkcs11")
	for _, ref := range []string{"pkcs11:object=x?pin-value=1234", "pkcs11:object=x;pin-value=1234", "honest://x?pin-value=1234"} {
		_, err := Open(ref, Options{})
		var e *Error
		if !errors.As(err, &e) || e.Reason != ReasonReference || strings.Contains(err.Error()+e.Hint, "1234") {
			t.Errorf("%v", err)
		}
	}
}
