package signer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const password = "correct horse"

func withPassword(p string) Options {
	return Options{Password: func(string) ([]byte, error) { return []byte(p), nil }}
}

// keyFile writes a file with mode 0600 and returns its path.
func keyFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.key")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func plain(t testing.TB, algorithm string) []byte {
	t.Helper()
	data, err := generated(t, algorithm).MarshalPlain()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// crypted is one key, encrypted once for all tests: scrypt is slow on purpose.
var crypted = func() func(t testing.TB) []byte {
	var once sync.Once
	var data []byte
	return func(t testing.TB) []byte {
		once.Do(func() {
			var err error
			if data, err = generated(t, "ecdsa-p256").MarshalEncrypted([]byte(password)); err != nil {
				t.Fatal(err)
			}
		})
		return data
	}
}()

func der(t testing.TB, key crypto.PrivateKey) []byte {
	t.Helper()
	out, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOpenReadsEveryForm(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sigstore, err := encrypted.EncryptWithCustomKDFParameters(der(t, ec), []byte(password), encrypted.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	cosign, err := encrypted.EncryptWithCustomKDFParameters(der(t, rsaKey), []byte(password), encrypted.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := generated(t, "ed25519").Certificate(CertificateOptions{Name: "n", Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data []byte
		want crypto.Signer
	}{
		"PKCS #8":                           {block("PRIVATE KEY", der(t, ec)), ec},
		"PKCS #1":                           {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), rsaKey},
		"SEC 1":                             {block("EC PRIVATE KEY", sec1), ec},
		"SEC 1 as openssl writes":           {append(block("EC PARAMETERS", []byte{6, 1, 1}), block("EC PRIVATE KEY", sec1)...), ec},
		"with its certificate":              {append(block("PRIVATE KEY", der(t, ec)), block("CERTIFICATE", cert)...), ec},
		"sigstore":                          {block("ENCRYPTED SIGSTORE PRIVATE KEY", sigstore), ec},
		"cosign before 2.0":                 {block("ENCRYPTED COSIGN PRIVATE KEY", cosign), rsaKey},
		"text before and no \\n at the end": {bytes.TrimSpace(append([]byte("my key\n"), block("PRIVATE KEY", der(t, ec))...)), ec},
	} {
		t.Run(name, func(t *testing.T) {
			path := keyFile(t, test.data)
			t.Setenv("TBPF_TEST_KEY", string(test.data))
			refs := []string{path, "env://TBPF_TEST_KEY"}
			if bytes.Contains(test.data, []byte("BEGIN ENCRYPTED")) {
				refs = refs[:1]
			}
			for _, ref := range refs {
				s, err := Open(ref, withPassword(password))
				if err != nil {
					t.Fatal(err)
				}
				if !s.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(test.want.Public()) {
					t.Errorf("%s: another key", ref)
				}
				if _, err := s.Sign([]byte("m")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestWrittenKeysAreReadAgain(t *testing.T) {
	for _, algorithm := range Algorithms() {
		back, err := Open(keyFile(t, plain(t, algorithm)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if back.ID() != generated(t, algorithm).ID() {
			t.Errorf("%s: another key came back", algorithm)
		}
	}
	data := crypted(t)
	if !bytes.HasPrefix(data, []byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")) {
		t.Errorf("%.50s", data)
	}
	back, err := Open(keyFile(t, data), withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	if back.ID() != generated(t, "ecdsa-p256").ID() {
		t.Error("another key came back")
	}
	if _, err := generated(t, "ed25519").MarshalEncrypted(nil); err == nil {
		t.Error("a key is encrypted with no password")
	}
	elsewhere, err := New(faulty{Signer: generated(t, "ed25519").key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.MarshalPlain(); err == nil {
		t.Error("a key that lives elsewhere is written down")
	}
}

// A34: mode 0600 enforced, on the file that was opened.
func TestKeyFileOfOthersIsRefused(t *testing.T) {
	path := keyFile(t, plain(t, "ed25519"))
	link := path + ".link" // a link's own mode is 0777 always
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o700: true, 0o640: false, 0o604: false, 0o620: false, 0o602: false, 0o610: false, 0o601: false, 0o644: false, 0o666: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{path, link} {
			_, err := Open(ref, Options{})
			var own *Error
			if (err == nil) != good || !good && (!errors.As(err, &own) || own.Reason != ReasonMode || own.Hint == "") {
				t.Errorf("mode %04o: %v", mode, err)
			}
		}
	}
	// That a key is encrypted makes no difference, and no password is asked for.
	path = keyFile(t, block(pemSigstore, []byte("{}")))
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	var own *Error
	if _, err := Open(path, Options{}); !errors.As(err, &own) || own.Reason != ReasonMode {
		t.Errorf("an encrypted key of mode 0640: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := plain(t, "ed25519")
	ec224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	// X25519 in PKCS #8 (RFC 8410 section 7): a key that cannot sign.
	exchange := append([]byte{0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20}, bytes.Repeat([]byte{8}, 32)...)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TBPF_TEST_EMPTY", "")
	t.Setenv("TBPF_TEST_LARGE", strings.Repeat("x", maxKeyBytes+1))
	for name, test := range map[string]struct {
		ref  string
		want Reason
	}{
		"no reference":      {"", ReasonReference},
		"plugin missing":    {"awskms:///alias/key", ReasonPlugin},
		"plugin unnamed":    {"://key", ReasonReference},
		"plugin, no key":    {"awskms://", ReasonReference},
		"plugin, bad name":  {"../x://key", ReasonReference},
		"missing":           {filepath.Join(dir, "missing"), ReasonUnreadable},
		"directory":         {dir, ReasonUnreadable},
		"FIFO":              {fifo, ReasonUnreadable},
		"device":            {"/dev/null", ReasonUnreadable},
		"unset variable":    {"env://TBPF_TEST_NOT_SET", ReasonUnreadable},
		"empty variable":    {"env://TBPF_TEST_EMPTY", ReasonUnreadable},
		"large variable":    {"env://TBPF_TEST_LARGE", ReasonMalformed},
		"no variable":       {"env://", ReasonUnreadable},
		"no name":           {"env://A B", ReasonReference},
		"digit first":       {"env://1A", ReasonReference},
		"a dash in a name":  {"env://A-B", ReasonReference},
		"a letter past z":   {"env://A{", ReasonReference},
		"empty":             {keyFile(t, nil), ReasonMalformed},
		"text":              {keyFile(t, []byte("hello")), ReasonMalformed},
		"too large":         {keyFile(t, append(bytes.Clone(good), make([]byte, maxKeyBytes)...)), ReasonMalformed},
		"public key":        {keyFile(t, block("PUBLIC KEY", []byte{1})), ReasonMalformed},
		"certificate alone": {keyFile(t, block("CERTIFICATE", []byte{1})), ReasonMalformed},
		"OpenSSH":           {keyFile(t, block("OPENSSH PRIVATE KEY", []byte{1})), ReasonMalformed},
		"two keys":          {keyFile(t, append(bytes.Clone(good), good...)), ReasonMalformed},
		"then damaged":      {keyFile(t, append(bytes.Clone(good), good[:len(good)-10]...)), ReasonMalformed},
		"no DER":            {keyFile(t, block("PRIVATE KEY", []byte{1, 2, 3})), ReasonMalformed},
		"PKCS #1 as SEC 1":  {keyFile(t, block("EC PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak))), ReasonMalformed},
		"no sigstore":       {keyFile(t, block("ENCRYPTED SIGSTORE PRIVATE KEY", []byte("{}"))), ReasonPasswordWrong},
		"X25519":            {keyFile(t, block("PRIVATE KEY", exchange)), ReasonUnsupported},
		"P-224":             {keyFile(t, block("PRIVATE KEY", der(t, ec224))), ReasonUnsupported},
		"RSA 1024":          {keyFile(t, block("PRIVATE KEY", der(t, weak))), ReasonUnsupported},
		"old encryption": {keyFile(t, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte{1},
			Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}})), ReasonEncryption},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(test.ref, withPassword(password))
			var own *Error
			if !errors.As(err, &own) || own.Reason != test.want || s != nil {
				t.Fatalf("%v, want %s", err, test.want)
			}
			if test.want != ReasonReference && own.Source != test.ref {
				t.Errorf("the error is about %q", own.Source)
			}
			if strings.Count(err.Error(), dir) > 1 {
				t.Errorf("the path stands twice: %v", err)
			}
			if own.Source == "" && !strings.HasPrefix(err.Error(), "private key: ") {
				t.Errorf("the error begins with a name that it does not have: %v", err)
			}
		})
	}
}

func TestPasswordIsAskedForAndWiped(t *testing.T) {
	path := keyFile(t, crypted(t))
	given := []byte(password)
	var prompt string
	if _, err := Open(path, Options{Password: func(p string) ([]byte, error) { prompt = p; return given, nil }}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(prompt, path) {
		t.Errorf("the prompt %q does not name the key", prompt)
	}
	if !bytes.Equal(given, make([]byte, len(password))) {
		t.Error("the password is still in memory")
	}
	cause := errors.New("no terminal")
	for name, test := range map[string]struct {
		opt  Options
		want Reason
	}{
		"nobody to ask": {Options{}, ReasonPasswordNeeded},
		"no answer":     {Options{Password: func(string) ([]byte, error) { return nil, cause }}, ReasonPasswordNeeded},
		"empty":         {withPassword(""), ReasonPasswordWrong},
	} {
		_, err := Open(path, test.opt)
		var own *Error
		if !errors.As(err, &own) || own.Reason != test.want || own.Source != path {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if name == "no answer" && !errors.Is(err, cause) {
			t.Errorf("the cause is lost: %v", err)
		}
	}
	if _, err := Open(keyFile(t, plain(t, "ed25519")), Options{Password: func(string) ([]byte, error) {
		t.Error("a password was asked for a plain key")
		return nil, cause
	}}); err != nil {
		t.Error(err)
	}
	// cosign with COSIGN_PASSWORD="" encrypts with the empty password.
	empty, err := encrypted.EncryptWithCustomKDFParameters(der(t, generated(t, "ed25519").key), nil, encrypted.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(keyFile(t, block(pemSigstore, empty)), withPassword("")); err != nil {
		t.Errorf("empty password: %v", err)
	}
}

// A34: no key bytes in error texts, not even when the key is given where its
// name belongs, as a shell does with --key "$KEY".
func TestErrorsNeverShowTheKey(t *testing.T) {
	data := plain(t, "ecdsa-p256")
	pemBlock, _ := pem.Decode(data)
	secret := base64.StdEncoding.EncodeToString(pemBlock.Bytes)
	damaged := bytes.Clone(pemBlock.Bytes)
	damaged[4] ^= 0xff
	swapped := block("RSA PRIVATE KEY", pemBlock.Bytes)
	for name, ref := range map[string]string{
		"key as path":       string(data),
		"key as variable":   "env://" + string(data),
		"base64 only":       "env://" + secret,
		"letters only":      "env://" + strings.NewReplacer("+", "", "/", "", "=", "").Replace("k"+secret),
		"one line":          strings.ReplaceAll(string(data), "\n", " "),
		"two lines":         "a\n" + secret,
		"damaged":           keyFile(t, block("PRIVATE KEY", damaged)),
		"of another kind":   keyFile(t, swapped),
		"cut":               keyFile(t, data[:len(data)-30]),
		"without its begin": keyFile(t, data[20:]),
		"encrypted":         keyFile(t, crypted(t)),
	} {
		_, err := Open(ref, withPassword("my wrong password"))
		if err == nil {
			t.Errorf("%s: opened", name)
			continue
		}
		for i := 0; i+12 <= len(secret); i++ {
			if strings.Contains(err.Error(), secret[i:i+12]) {
				t.Fatalf("%s: the error shows the key: %v", name, err)
			}
		}
		if strings.Contains(err.Error(), "my wrong password") {
			t.Errorf("%s: the error shows the password", name)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), secret[:12]) {
				t.Errorf("%s: a cause shows the key", name)
			}
		}
	}
}

func FuzzParsePrivateKey(f *testing.F) {
	for _, algorithm := range []string{"ecdsa-p256", "ed25519", "ml-dsa-65"} {
		f.Add(plain(f, algorithm))
	}
	f.Add(crypted(f))
	f.Add(append(block("EC PARAMETERS", []byte{6, 1, 1}), plain(f, "ecdsa-p256")...))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Without a password: deriving keys takes most of a fuzzer's time.
		key, err := parse(data, "fuzz", Options{})
		if err != nil {
			if own := (*Error)(nil); !errors.As(err, &own) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		if s, err := New(key); err == nil {
			if _, err := s.Sign(data); err != nil {
				t.Fatalf("a key that was taken does not sign: %v", err)
			}
		}
	})
}
