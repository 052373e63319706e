package keys

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKeyringReadsFilesAndDirectories(t *testing.T) {
	dir := t.TempDir()
	a, b, c, d := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), edKey(t), ecKey(t, elliptic.P521())
	put(t, dir, map[string][]byte{
		"a.crt":     certPEM(certificate(t, a, nil)),
		"b.pub":     publicPEM(t, b.Public()),
		"c.pem":     bytes.Join([][]byte{certPEM(certificate(t, c, nil)), publicPEM(t, a.Public()), publicPEM(t, a.Public())}, nil),
		"empty.cer": []byte(" \n"),
		"README":    []byte("not a key"),
		".b.pub":    []byte("hidden"),
		"a.crt~":    []byte("left by an editor"),
	})
	file := filepath.Join(t.TempDir(), "any name")
	put(t, filepath.Dir(file), map[string][]byte{"any name": publicPEM(t, d.Public())})
	ring, err := LoadKeyring([]string{dir, file})
	if err != nil {
		t.Fatal(err)
	}
	if len(ring.Keys()) != 4 {
		t.Errorf("%d keys, want 4", len(ring.Keys()))
	}
	if key := ring.Find(idOf(t, b.Public())); key == nil || key.Certificate != nil || !slices.Equal(key.Sources, []string{filepath.Join(dir, "b.pub")}) {
		t.Errorf("b: %+v", key)
	}
	if key := ring.Find(idOf(t, a.Public())); key == nil || key.Certificate == nil || !slices.Equal(key.Sources, []string{filepath.Join(dir, "a.crt"), filepath.Join(dir, "c.pem")}) {
		t.Errorf("a: %+v", key)
	}
	if key := ring.Find(idOf(t, edKey(t).Public())); key != nil {
		t.Errorf("a key that is nowhere: %+v", key)
	}
	want := []string{filepath.Join(dir, ".b.pub"), filepath.Join(dir, "README"), filepath.Join(dir, "a.crt~")}
	if got := ring.Ignored(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("ignored %q, want %q", got, want)
	}
	if (*Keyring)(nil).Find(ID{}) != nil {
		t.Error("no keyring trusts a key")
	}
}

// A11: one key counted twice, as key and as certificate.
func TestOneKeyCountsOnceInEveryForm(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	old := certificate(t, key, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })
	fresh := certificate(t, key, nil)
	future := certificate(t, key, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = noon.Add(48*time.Hour), noon.Add(72*time.Hour)
	})
	bare := publicPEM(t, key.Public())
	for name, files := range map[string][][]byte{
		"bare twice":             {bare, bare},
		"bare, then certificate": {bare, certPEM(fresh)},
		"certificate, then bare": {certPEM(fresh), bare},
		"three certificates":     {certPEM(old), certPEM(fresh), certPEM(future)},
		"other order":            {certPEM(future), certPEM(fresh), certPEM(old), certPEM(old)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, data := range files {
				put(t, dir, map[string][]byte{fmt.Sprintf("%d.pem", i): data})
			}
			ring, err := LoadKeyring([]string{dir})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(ring.Keys()); n != 1 {
				t.Fatalf("%d keys", n)
			}
			if got := ring.Keys()[0].Sources; len(got) != len(files) {
				t.Errorf("%d files have it, named are %q", len(files), got)
			}
			if err := ring.Keys()[0].Check(noon); err != nil {
				t.Errorf("at noon: %v", err)
			}
			if strings.Contains(name, "bare,") || strings.Contains(name, "then bare") {
				if err := ring.Keys()[0].Check(noon.AddDate(1, 0, 0)); err == nil {
					t.Error("the bare key undoes the end of the certificate")
				}
			}
			if len(files) >= 3 {
				got := ring.Keys()[0]
				if len(got.Certificates) != 3 || !got.Certificate.Equal(future) || !got.Certificates[2].Equal(old) {
					t.Errorf("certificates are not in the order of their ends: %d", len(got.Certificates))
				}
				var certErr *CertificateError
				if err := got.Check(noon.Add(36 * time.Hour)); !errors.As(err, &certErr) || certErr.Reason != CertificateNotYetValid {
					t.Errorf("between two certificates: %v", err)
				}
			}
		})
	}
}

func TestExpiredKeyIsFoundAndRefusedByCheck(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	trusted, err := TrustCertificate(certificate(t, key, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) }), "here")
	if err != nil {
		t.Fatal(err)
	}
	found := NewKeyring(trusted).Find(idOf(t, key.Public()))
	if found == nil {
		t.Fatal("not found: nobody could tell that it expired")
	}
	var certErr *CertificateError
	if err := found.Check(noon); !errors.As(err, &certErr) || certErr.Reason != CertificateExpired {
		t.Errorf("%v", err)
	}
	if alg, err := found.Algorithm(); err != nil || alg != ECDSAP256SHA256 {
		t.Errorf("%v, %v", alg, err)
	}
}

// A13: a CA as a leaf.
func TestCertificateOfCANeverMatchesSigner(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	ca := certificate(t, key, func(c *x509.Certificate) { c.IsCA = true; c.KeyUsage |= x509.KeyUsageCertSign })
	dir := t.TempDir()
	put(t, dir, map[string][]byte{"ca.crt": append(certPEM(ca), certPEM(ca)...)})
	ring, err := LoadKeyring([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(ring.Keys()) != 0 || ring.Find(idOf(t, key.Public())) != nil {
		t.Error("the CA's key is a signer's")
	}
	if len(ring.CAs()) != 1 {
		t.Errorf("%d CAs, want 1", len(ring.CAs()))
	}
	if _, err := TrustCertificate(ca, ""); err == nil {
		t.Error("TrustCertificate takes a CA")
	}
	weak := certificate(t, rsaKey(t, 1024), func(c *x509.Certificate) { c.IsCA = true })
	put(t, dir, map[string][]byte{"ca.crt": certPEM(weak)})
	if _, err := LoadKeyring([]string{dir}); err == nil {
		t.Error("a CA with a weak key is taken")
	}
}

func TestSystemKeyringMasksByName(t *testing.T) {
	etc, lib := t.TempDir(), t.TempDir()
	vendor1, vendor2, vendor3, own := edKey(t), edKey(t), edKey(t), edKey(t)
	put(t, lib, map[string][]byte{
		"replaced.pub": publicPEM(t, vendor1.Public()),
		"removed.pub":  publicPEM(t, vendor2.Public()),
		"kept.pub":     publicPEM(t, vendor3.Public()),
	})
	put(t, etc, map[string][]byte{"replaced.pub": publicPEM(t, own.Public()), "removed.pub": {}})
	missing := filepath.Join(t.TempDir(), "missing")
	for _, dirs := range [][]string{{etc, lib}, {missing, etc, lib}, {etc, missing, lib, missing}} {
		ring, err := LoadSystemKeyring(dirs...)
		if err != nil {
			t.Fatal(err)
		}
		for i, test := range []struct {
			id   ID
			want bool
		}{{idOf(t, vendor1.Public()), false}, {idOf(t, vendor2.Public()), false}, {idOf(t, vendor3.Public()), true}, {idOf(t, own.Public()), true}} {
			if (ring.Find(test.id) != nil) != test.want {
				t.Errorf("%d keys; key %d should be there: %v", len(ring.Keys()), i, test.want)
			}
		}
	}
	ring, err := LoadSystemKeyring(missing)
	if err != nil || len(ring.Keys()) != 0 {
		t.Errorf("no directory at all: %v", err)
	}
	if got := SystemDirs(); len(got) != 2 || got[0] != "/etc/tbpf/keyring.d" {
		t.Errorf("SystemDirs() = %q", got)
	}
}

func TestKeyringRefuses(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	good := publicPEM(t, key.Public())
	weak, err := x509.MarshalPKIXPublicKey(rsaKey(t, 1024).Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"text":              []byte("hello"),
		"private key":       pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}),
		"other PEM":         pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{1}}),
		"PKCS#1 public key": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: []byte{1}}),
		"broken key":        pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}),
		"broken cert":       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
		"weak key":          pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: weak}),
		"wrong usage":       certPEM(certificate(t, key, func(c *x509.Certificate) { c.KeyUsage = 0 })),
		"second key is cut": append(bytes.Clone(good), good[:len(good)-10]...),
		"too large":         append(bytes.Clone(good), make([]byte, maxKeyFile)...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, map[string][]byte{"a.pub": good, "b.pem": data})
			for _, path := range []string{dir, filepath.Join(dir, "b.pem")} {
				if ring, err := LoadKeyring([]string{path}); err == nil {
					t.Errorf("%d keys read from %s", len(ring.Keys()), path)
				} else if !strings.Contains(err.Error(), filepath.Join(dir, "b.pem")) {
					t.Errorf("the error does not name the file: %v", err)
				}
			}
			if _, err := LoadSystemKeyring(dir); err == nil {
				t.Error("read as the system's")
			}
		})
	}
}

// What a person gets wrong most often is told in words that help.
func TestKeyringNamesTheMistake(t *testing.T) {
	cert := certificate(t, ecKey(t, elliptic.P256()), nil)
	for want, data := range map[string][]byte{
		"private key":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"looks like DER": cert.Raw,
		"no PEM block":   []byte("hello"),
		"damaged":        certPEM(cert)[:100],
	} {
		if err := (&Keyring{}).parseTrust(data, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
}

func TestSourcesAreNamedOnce(t *testing.T) {
	key := edKey(t)
	var trusted []*TrustedKey
	for _, source := range []string{"a", "a", "b", "a"} {
		one, err := TrustKey(key.Public(), source)
		if err != nil {
			t.Fatal(err)
		}
		trusted = append(trusted, one)
	}
	if got := NewKeyring(trusted...).Keys()[0].Sources; !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("Sources are %q", got)
	}
}

func TestKeyringRefusesPathsThatAreNoKeys(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string][]byte{"empty.pub": {}})
	crowded := t.TempDir()
	for i := range maxKeyFiles + 1 {
		put(t, crowded, map[string][]byte{fmt.Sprint(i): {}})
	}
	pipes, fifo := t.TempDir(), "fifo.pem"
	if err := syscall.Mkfifo(filepath.Join(pipes, fifo), 0o600); err != nil {
		t.Fatal(err)
	}
	subdir := t.TempDir()
	if err := os.Mkdir(filepath.Join(subdir, "dir.pem"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, paths := range map[string][]string{
		"no path":             nil,
		"missing":             {filepath.Join(dir, "missing")},
		"missing after good":  {dir, filepath.Join(dir, "missing")},
		"an empty file":       {filepath.Join(dir, "empty.pub")},
		"too many files":      {crowded},
		"FIFO in a directory": {pipes},
		"FIFO":                {filepath.Join(pipes, fifo)},
		"device":              {"/dev/zero"},
		"directory in one":    {subdir},
	} {
		if _, err := LoadKeyring(paths); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// What is no directory, or cannot be looked at, is not a missing one: it
	// could have removed a vendor's key.
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	if err := os.Symlink(filepath.Join(dir, "missing"), nowhere); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSystemKeyring(nowhere, dir); err == nil {
		t.Error("a link that leads nowhere taken for a missing directory")
	}
	if _, err := LoadSystemKeyring(filepath.Join(dir, "empty.pub")); err == nil {
		t.Error("a file taken for a directory")
	}
	if _, err := LoadSystemKeyring(filepath.Join(dir, "empty.pub", "below")); err == nil {
		t.Error("a path below a file taken for a missing directory")
	}
}

func FuzzKeyringFile(f *testing.F) {
	key := ecKey(f, elliptic.P256())
	f.Add(certPEM(certificate(f, key, nil)))
	f.Add(publicPEM(f, key.Public()))
	f.Add(certPEM(certificate(f, key, func(c *x509.Certificate) { c.IsCA = true })))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: mldsaPublic(f)}))
	f.Add(mldsaCertificate(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		ring := &Keyring{}
		if err := ring.parseTrust(data, "fuzz"); err != nil {
			return
		}
		if len(ring.keys)+len(ring.cas) == 0 {
			t.Fatal("a file without a key was taken")
		}
		for _, key := range ring.Keys() {
			if ring.Find(key.ID) != key {
				t.Fatal("a key that is in the ring is not found")
			}
		}
	})
}
