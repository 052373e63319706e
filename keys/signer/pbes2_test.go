package signer

import (
	"encoding/asn1"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// openssl runs the openssl binary. CI has it: there its absence is a failure.
func openssl(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed: its keys are not read")
	}
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", args[0], err, out)
	}
}

func TestOpenReadsKeysThatOpenSSLEncrypted(t *testing.T) {
	from := keyFile(t, plain(t, "ecdsa-p384"))
	for name, args := range map[string][]string{
		"default":          nil,
		"AES-128, SHA-1":   {"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"},
		"AES-192, SHA-384": {"-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA384"},
		"AES-256, SHA-512": {"-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "10000"},
		"scrypt":           {"-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "e.key")
			openssl(t, append([]string{"pkcs8", "-topk8", "-in", from, "-out", to, "-passout", "pass:" + password}, args...)...)
			s, err := Open(to, withPassword(password))
			if err != nil {
				t.Fatal(err)
			}
			if s.ID() != generated(t, "ecdsa-p384").ID() {
				t.Error("another key")
			}
			for _, wrong := range []string{"wrong", "", password + " "} {
				_, err := Open(to, withPassword(wrong))
				var own *Error
				if !errors.As(err, &own) || own.Reason != ReasonPasswordWrong && own.Reason != ReasonMalformed {
					t.Errorf("password %q: %v", wrong, err)
				}
			}
		})
	}
	for name, args := range map[string][]string{"triple DES": {"-v2", "des3"}, "ARIA": {"-v2", "aria-128-cbc"}} {
		to := filepath.Join(t.TempDir(), "e.key")
		openssl(t, append([]string{"pkcs8", "-topk8", "-in", from, "-out", to, "-passout", "pass:" + password}, args...)...)
		var own *Error
		if _, err := Open(to, withPassword(password)); !errors.As(err, &own) || own.Reason != ReasonEncryption {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenReadsKeysThatOpenSSLMade(t *testing.T) {
	dir := t.TempDir()
	for name, args := range map[string][]string{
		"p256":    {"ecparam", "-name", "prime256v1", "-genkey"}, // EC PARAMETERS before SEC 1
		"p521":    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"},
		"ed25519": {"genpkey", "-algorithm", "ED25519"},
		"rsa":     {"genrsa", "-traditional", "2048"},
	} {
		path := filepath.Join(dir, name)
		openssl(t, append(args[:1:1], append([]string{"-out", path}, args[1:]...)...)...)
		s, err := Open(path, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := s.Sign([]byte("m")); err != nil {
			t.Error(err)
		}
	}
}

// pbes2 are the parts of an encrypted key, each of which a test replaces.
type pbes2 struct {
	outer, kdf, cipher asn1.ObjectIdentifier
	params             func(*cryptobyte.Builder)
	iv, ciphertext     []byte
	tail, schemeTail   []byte
}

func goodPBES2() pbes2 {
	return pbes2{
		outer:      asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13},
		kdf:        asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12},
		cipher:     asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42},
		params:     pbkdf2Params(1, nil, nil),
		iv:         make([]byte, 16),
		ciphertext: make([]byte, 32),
	}
}

func pbkdf2Params(rounds int64, size *int64, prf asn1.ObjectIdentifier) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1OctetString([]byte("salt"))
		b.AddASN1Int64(rounds)
		if size != nil {
			b.AddASN1Int64(*size)
		}
		if prf != nil {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(prf); b.AddASN1NULL() })
		}
	}
}

func scryptParams(numbers ...int64) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1OctetString([]byte("salt"))
		for _, n := range numbers {
			b.AddASN1Int64(n)
		}
	}
}

func (p pbes2) der() []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(p.outer)
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(p.kdf)
					b.AddASN1(casn1.SEQUENCE, p.params)
				})
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(p.cipher)
					b.AddASN1OctetString(p.iv)
					b.AddBytes(p.schemeTail)
				})
			})
		})
		b.AddASN1OctetString(p.ciphertext)
		b.AddBytes(p.tail)
	})
	return b.BytesOrPanic()
}

// What a hostile or damaged file says must not crash, hang or exhaust.
func TestDecryptRefusesParametersOutOfBounds(t *testing.T) {
	scryptOID := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	scrypt := func(numbers ...int64) func(*pbes2) {
		return func(p *pbes2) { p.kdf, p.params = scryptOID, scryptParams(numbers...) }
	}
	size16 := int64(16)
	for name, change := range map[string]func(*pbes2){
		"short iv":           func(p *pbes2) { p.iv = p.iv[1:] },
		"no iv":              func(p *pbes2) { p.iv = nil },
		"part of a block":    func(p *pbes2) { p.ciphertext = p.ciphertext[1:] },
		"no ciphertext":      func(p *pbes2) { p.ciphertext = nil },
		"tail after the iv":  func(p *pbes2) { p.schemeTail = []byte{5, 0} },
		"PBES1":              func(p *pbes2) { p.outer = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3} },
		"unknown derivation": func(p *pbes2) { p.kdf = asn1.ObjectIdentifier{1, 2, 3} },
		"unknown cipher":     func(p *pbes2) { p.cipher = asn1.ObjectIdentifier{1, 2, 3} },
		"unknown HMAC":       func(p *pbes2) { p.params = pbkdf2Params(1, nil, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 8}) },
		"no rounds":          func(p *pbes2) { p.params = pbkdf2Params(0, nil, nil) },
		"negative rounds":    func(p *pbes2) { p.params = pbkdf2Params(-1, nil, nil) },
		"too many rounds":    func(p *pbes2) { p.params = pbkdf2Params(maxPBKDF2Rounds+1, nil, nil) },
		"other key size":     func(p *pbes2) { p.params = pbkdf2Params(1, &size16, nil) },
		"no parameters":      func(p *pbes2) { p.params = func(*cryptobyte.Builder) {} },
		"scrypt N 0":         scrypt(0, 8, 1),
		"scrypt N 1":         scrypt(1, 8, 1),
		"scrypt N 3":         scrypt(3, 8, 1),
		"scrypt r 0":         scrypt(1024, 0, 1),
		"scrypt p 0":         scrypt(1024, 8, 0),
		"scrypt p 17":        scrypt(1024, 8, 17),
		"scrypt N 2^40":      scrypt(1<<40, 1, 1),
		"scrypt 512 MiB":     scrypt(1<<19, 8, 1),
		"scrypt of 16 bytes": scrypt(1024, 8, 1, 16),
		"scrypt with a tail": scrypt(1024, 8, 1, 32, 1),
		"scrypt without p":   scrypt(1024, 8),
	} {
		p := goodPBES2()
		change(&p)
		var own *Error
		if _, err := decryptPBES2(p.der(), []byte("p")); !errors.As(err, &own) || own.Reason != ReasonEncryption {
			t.Errorf("%s: %v", name, err)
		}
	}
	tailed := goodPBES2()
	tailed.tail = []byte{5, 0}
	for _, der := range [][]byte{nil, {0x30, 0}, append(goodPBES2().der(), 0), tailed.der()} {
		var own *Error
		if _, err := decryptPBES2(der, []byte("p")); !errors.As(err, &own) || own.Reason != ReasonMalformed {
			t.Errorf("%x: %v", der, err)
		}
	}
	if _, err := decryptPBES2(goodPBES2().der(), []byte("p")); !errors.Is(err, errDecrypt) {
		t.Errorf("within bounds, but not of this password: %v", err)
	}
}

func TestPBKDF2AndScryptTakeTheirKeySize(t *testing.T) {
	size := int64(32)
	p := goodPBES2()
	p.params = pbkdf2Params(1, &size, nil)
	if _, err := decryptPBES2(p.der(), nil); !errors.Is(err, errDecrypt) {
		t.Errorf("PBKDF2: %v", err)
	}
	p.kdf, p.params = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}, scryptParams(2, 1, 1, 32)
	if _, err := decryptPBES2(p.der(), nil); !errors.Is(err, errDecrypt) {
		t.Errorf("scrypt: %v", err)
	}
}

func FuzzDecryptPBES2(f *testing.F) {
	f.Add(goodPBES2().der())
	p := goodPBES2()
	p.kdf, p.params = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}, scryptParams(2, 1, 1)
	f.Add(p.der())
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 200 {
			return // large numbers take long, and are bounded by a test above
		}
		if plain, err := decryptPBES2(der, []byte("p")); err == nil && len(plain) < 2 {
			t.Fatal("nothing came out, and no error")
		}
	})
}
