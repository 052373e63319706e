package mldsa_test

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/keys/signer"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func public(t testing.TB, alg keys.Algorithm) crypto.PublicKey {
	t.Helper()
	cert, err := keys.ParseCertificate(read(t, alg.String()+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	return cert.PublicKey
}

// TestSignaturesThatOpensslMade are taken with their key, message, algorithm and
// every bit, and with nothing else.
func TestSignaturesThatOpensslMade(t *testing.T) {
	if *update {
		makeVectors(t)
	}
	message := read(t, "message")
	check := mldsa.Checker()
	for _, kind := range kinds() {
		t.Run(kind.alg.String(), func(t *testing.T) {
			pub, sig := public(t, kind.alg), read(t, kind.alg.String()+".sig")
			if err := check.Verify(pub, kind.alg, message, sig); err != nil {
				t.Fatal(err)
			}
			if err := keys.Verify(pub, kind.alg, message, sig); !errors.Is(err, keys.ErrUnchecked) {
				t.Errorf("without a checker: %v", err)
			}
			flipped := func(at int) []byte {
				out := bytes.Clone(sig)
				out[at] ^= 1
				return out
			}
			for name, bad := range map[string]struct {
				pub     crypto.PublicKey
				alg     keys.Algorithm
				message []byte
				sig     []byte
			}{
				"another message":       {pub, kind.alg, append(bytes.Clone(message), 0), sig},
				"the other name":        {pub, kind.other, message, sig},
				"an older name":         {pub, keys.Ed25519, message, sig},
				"the other key":         {public(t, kind.other), kind.other, message, sig},
				"the other set's value": {pub, kind.alg, message, read(t, kind.other.String()+".sig")},
				"with a context":        {pub, kind.alg, message, read(t, kind.alg.String()+".context.sig")},
				"cut short":             {pub, kind.alg, message, sig[:len(sig)-1]},
				"with a tail":           {pub, kind.alg, message, append(bytes.Clone(sig), 0)},
				"none":                  {pub, kind.alg, message, nil},
				"first bit":             {pub, kind.alg, message, flipped(0)},
				"a bit amidst":          {pub, kind.alg, message, flipped(len(sig) / 2)},
				"last bit":              {pub, kind.alg, message, flipped(len(sig) - 1)},
			} {
				if err := check.Verify(bad.pub, bad.alg, bad.message, bad.sig); !errors.Is(err, keys.ErrSignature) {
					t.Errorf("%s: %v", name, err)
				}
			}
			// The length is asked also where nothing else is.
			if err := keys.Verify(pub, kind.alg, message, sig[1:]); !errors.Is(err, keys.ErrSignature) {
				t.Errorf("cut short, without a checker: %v", err)
			}
		})
	}
}

func TestKeysHaveOneEncoding(t *testing.T) {
	for _, kind := range kinds() {
		pub := public(t, kind.alg)
		der, err := keys.MarshalPublic(pub)
		if err != nil {
			t.Fatal(err)
		}
		again, err := keys.ParsePublic(der)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := again.(*keys.MLDSAPublicKey), pub.(*keys.MLDSAPublicKey); a.Algorithm != kind.alg || !bytes.Equal(a.Key, b.Key) {
			t.Errorf("%v: another key comes back", kind.alg)
		}
		withNull := bytes.Clone(der)
		withNull = append(append(withNull[:17:17], 5, 0), withNull[17:]...)
		withNull[5], withNull[3] = 13, withNull[3]+2
		oid := bytes.Clone(der)
		oid[16] ^= 18 ^ 19
		for name, bad := range map[string][]byte{
			"cut short": der[:len(der)-1], "with a tail": append(bytes.Clone(der), 0), "with parameters": withNull, "the other set's name": oid, "nothing": nil, "the head alone": der[:22],
		} {
			if _, err := keys.ParsePublic(bad); err == nil {
				t.Errorf("%v, %s: taken", kind.alg, name)
			} else if _, ok := errors.AsType[*keys.KeyError](err); !ok {
				t.Errorf("%v, %s: %v", kind.alg, name, err)
			}
		}
	}
	for name, bad := range map[string]*keys.MLDSAPublicKey{
		"nil": nil, "none": {}, "no key": {Algorithm: keys.MLDSA65}, "another set's": {Algorithm: keys.MLDSA65, Key: make([]byte, 2592)}, "ML-DSA-44": {Algorithm: 9, Key: make([]byte, 1312)}, "Ed25519": {Algorithm: keys.Ed25519},
	} {
		if err := keys.CheckPublic(bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestCertificatesOfSigners: openssl's and tbpf's own are taken; those that say
// something else are not.
func TestCertificatesOfSigners(t *testing.T) {
	for _, kind := range kinds() {
		cert, err := keys.ParseCertificate(read(t, kind.alg.String()+".crt"))
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.CheckCertificate(cert, cert.NotBefore); err != nil {
			t.Errorf("%v: %v", kind.alg, err)
		}
		if err := keys.KernelKey(cert.PublicKey); err == nil {
			t.Errorf("%v: every kernel is said to take it", kind.alg)
		}
		key, err := signer.Open(private(t, read(t, kind.alg.String()+".key")), signer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for end, opt := range map[string]signer.CertificateOptions{
			"2049": {Name: "n", Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ValidFor: 24 * 365 * 23 * time.Hour},
			"2060": {Name: "n", Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ValidFor: 24 * 365 * 34 * time.Hour},
		} {
			der, err := key.Certificate(opt)
			if err != nil {
				t.Errorf("until %s: %v", end, err)
				continue
			}
			own, err := keys.ParseCertificateDER(der)
			if err != nil {
				t.Fatal(err)
			}
			if !own.NotAfter.Equal(opt.Now.Add(opt.ValidFor)) || own.Subject.CommonName != "n" || !bytes.Equal(own.SubjectKeyId, cert.SubjectKeyId) {
				t.Errorf("%v until %v, key %x", own.Subject, own.NotAfter, own.SubjectKeyId)
			}
			if err := mldsa.Checker().Verify(own.PublicKey, kind.alg, own.RawTBSCertificate, own.Signature); err != nil {
				t.Errorf("its own signature: %v", err)
			}
		}
		if _, err := key.Certificate(signer.CertificateOptions{Name: "n", Now: time.Now(), CA: true}); !errors.Is(err, signer.ErrSelfSignedOnly) {
			t.Errorf("a CA: %v", err)
		}
		if _, err := key.Request("n"); !errors.Is(err, signer.ErrSelfSignedOnly) {
			t.Errorf("a request: %v", err)
		}

		// Both names of the algorithm in the certificate say another set.
		der := bytes.Clone(cert.Raw)
		at := bytes.Index(der, identifier(kind.alg))
		der[at+12] ^= 18 ^ 19
		der[len(der)-len(cert.Signature)-5-1] ^= 18 ^ 19
		odd, err := keys.ParseCertificateDER(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.CheckCertificateUse(odd); err == nil {
			t.Errorf("%v: signed with the other set, and taken", kind.alg)
		}
		// Somebody else issued it, as far as its issuer's name says.
		der = bytes.Clone(cert.Raw)
		der[bytes.Index(der, []byte("tbpf test"))] = 'T'
		if odd, err = keys.ParseCertificateDER(der); err != nil {
			t.Fatal(err)
		}
		if err := keys.CheckCertificateUse(odd); err == nil {
			t.Errorf("%v: not self-signed, and taken", kind.alg)
		}
	}
}

func identifier(alg keys.Algorithm) []byte {
	return []byte{0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18 + byte(alg-keys.MLDSA65)}
}

// private writes a key to a file that only its owner can read.
func private(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestThePrivateKeyIsTheSeed: openssl's default, which has the expanded key as
// well, is refused with what to do about it; so is anything around the seed.
func TestThePrivateKeyIsTheSeed(t *testing.T) {
	for _, kind := range kinds() {
		good := read(t, kind.alg.String()+".key")
		block, _ := pem.Decode(good)
		key, err := signer.Open(private(t, good), signer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := key.MarshalPlain(); err != nil || !bytes.Equal(again, good) {
			t.Errorf("%v: written otherwise than openssl does (%v)", kind.alg, err)
		}
		bad := map[string][]byte{"both forms": read(t, kind.alg.String()+".both.key")}
		for name, der := range map[string][]byte{
			"a tail":     append(bytes.Clone(block.Bytes), 0),
			"attributes": append(append(append([]byte{0x30, block.Bytes[1] + 2}, block.Bytes[2:]...), 0xa0), 0),
			"cut short":  block.Bytes[:len(block.Bytes)-1],
		} {
			bad[name] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		}
		for name, data := range bad {
			if _, err := signer.Open(private(t, data), signer.Options{}); err == nil {
				t.Errorf("%v, %s: taken", kind.alg, name)
			}
		}
		own, ok := errors.AsType[*signer.Error](func() error {
			_, err := signer.Open(private(t, bad["both forms"]), signer.Options{})
			return err
		}())
		if !ok || own.Reason != signer.ReasonUnsupported || own.Hint == "" {
			t.Errorf("%v, both forms: %v", kind.alg, own)
		}
		key.Close()
		if _, err := key.Sign([]byte("m")); !errors.Is(err, signer.ErrClosed) {
			t.Errorf("signs after it was closed: %v", err)
		}
	}
}
