package loader

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/keyring"
)

// kernelSigner is a certificate and its trusted key.
func kernelSigner(t *testing.T) (*x509.Certificate, *keys.TrustedKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"}, SubjectKeyId: []byte("signer"),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := keys.TrustCertificate(cert, "test")
	if err != nil {
		t.Fatal(err)
	}
	return cert, trusted
}

// A29: only a signer whose key is trusted gets into the keyring that the kernel
// checks against: what the file itself brings is trusted by nobody.
func TestOnlyTrustedSignersGetIntoTheKeyring(t *testing.T) {
	cert, trusted := kernelSigner(t)
	_, other := kernelSigner(t)
	x := newMini()
	_, _, err := signers(sealedBy(x), Options{Trusted: keys.NewKeyring(trusted)})
	mustRefuse(t, err, Failed, "no-kernel-certificate")
	x.certificate = cert
	for _, ring := range []*keys.Keyring{nil, keys.NewKeyring(), keys.NewKeyring(other)} {
		_, _, err := signers(sealedBy(x), Options{Trusted: ring})
		mustRefuse(t, err, KernelRefused, "kernel-signer-not-trusted")
	}
	// A keyring that was named is used and nothing is made.
	id, ring, err := signers(sealedBy(x), Options{Keyring: keyring.Serial(4711), Trusted: keys.NewKeyring(other)})
	if id != 4711 || ring != nil || err != nil {
		t.Errorf("%d, %v, %v", id, ring, err)
	}
	err = onOtherThread(func() error {
		if err := keyring.Isolate(); err != nil {
			return err
		}
		id, ring, err := signers(sealedBy(x), Options{Trusted: keys.NewKeyring(other, trusted)})
		if err != nil {
			return err
		}
		if id != ring.Reference().ID() || id <= 2 {
			t.Errorf("keyring %d, %v", id, ring.Reference())
		}
		return ring.Close()
	})
	if err != nil { // a kernel without ECDSA, or without asymmetric keys
		mustRefuse(t, err, Unsupported, "algorithm-unsupported")
	}
}

func TestKeyringErrorsHaveTheirVerdict(t *testing.T) {
	for errno, verdict := range map[unix.Errno]Verdict{unix.ENOENT: Unsupported, unix.ENODEV: Unsupported, unix.ENOPKG: Unsupported,
		unix.EPERM: Permission, unix.EACCES: Permission, unix.EDQUOT: Failed, unix.EBADMSG: Failed} {
		if e := ringError(&keyring.Error{Operation: "add_key", Errno: errno}); e.Verdict() != verdict {
			t.Errorf("%v: %v", errno, e)
		}
	}
}
