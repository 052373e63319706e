package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onThread runs f on a thread of its own that ends with it.
func onThread(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread is spoilt
		f()
	}()
	<-done
}

func certificate(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, SubjectKeyId: []byte(name),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// newRing makes a ring, or skips where this kernel has no keys of this kind.
func newRing(t *testing.T, certs ...[]byte) *Ring {
	t.Helper()
	if err := Isolate(); err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	ring, err := New(certs)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOPKG) || errors.Is(err, unix.ENODEV) {
		t.Logf("this kernel does not take the certificate: %v", err)
		runtime.Goexit()
	}
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return ring
}

func TestNobodyAddsToTheRing(t *testing.T) {
	onThread(t, func() {
		ring := newRing(t, certificate(t, "trusted"))
		defer ring.Close()
		if _, err := unix.AddKey("asymmetric", "evil", certificate(t, "evil"), ring.serial); err == nil {
			t.Error("a second certificate was added")
		}
		if _, err := unix.AddKey("user", "evil", []byte("x"), ring.serial); err == nil {
			t.Error("another key was added")
		}
		// The one with the same description would take the first one's place.
		if _, err := unix.AddKey("asymmetric", "tbpf signer 0", certificate(t, "evil"), ring.serial); err == nil {
			t.Error("the certificate was replaced")
		}
		if _, err := unix.KeyctlInt(unix.KEYCTL_CLEAR, ring.serial, 0, 0, 0); err == nil {
			t.Error("the ring was cleared")
		}
		if err := unix.KeyctlSetperm(ring.serial, 0x3f3f3f3f); err == nil {
			t.Error("the ring's permissions were widened")
		}
		if _, err := unix.KeyctlInt(unix.KEYCTL_REVOKE, ring.serial, 0, 0, 0); err == nil {
			t.Error("the ring was revoked")
		}
		if _, err := unix.KeyctlInt(unix.KEYCTL_LINK, unix.KEY_SPEC_SESSION_KEYRING, ring.serial, 0, 0); err == nil {
			t.Error("a keyring was linked into the ring")
		}
	})
}

func TestTheRingGoesWhenItIsClosed(t *testing.T) {
	onThread(t, func() {
		ring := newRing(t, certificate(t, "trusted"))
		if ring.Reference().IsZero() || ring.Reference().ID() != int32(ring.serial) {
			t.Errorf("reference %v of ring %d", ring.Reference(), ring.serial)
		}
		if err := ring.Close(); err != nil {
			t.Error(err)
		}
		if err := ring.Close(); err == nil {
			t.Error("the ring is still there")
		}
	})
}

func TestARingOfNonsenseIsNotMade(t *testing.T) {
	onThread(t, func() {
		if err := Isolate(); err != nil {
			t.Error(err)
			return
		}
		ring, err := New([][]byte{certificate(t, "good"), []byte("no certificate")})
		var failed *Error
		if ring != nil || !errors.As(err, &failed) || failed.Operation != "add_key asymmetric" {
			t.Errorf("got %v, %v", ring, err)
		}
	})
}

// Another thread of the same process keeps its own session keyring.
func TestIsolateIsForOneThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	id := func() int {
		n, err := unix.KeyctlInt(unix.KEYCTL_GET_KEYRING_ID, unix.KEY_SPEC_SESSION_KEYRING, 0, 0, 0)
		if err != nil {
			t.Errorf("session keyring: %v", err)
		}
		return n
	}
	before := id()
	onThread(t, func() {
		if err := Isolate(); err != nil {
			t.Error(err)
		}
		if id() == before {
			t.Error("the thread still has the session keyring that it inherited")
		}
	})
	if id() != before {
		t.Error("the session keyring of another thread changed")
	}
}
