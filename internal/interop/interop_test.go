//go:build linux

// Package interop has tests only: what other tools make of tbpf's files, and
// what tbpf makes of theirs.
package interop

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/sign/skeleton"
	"github.com/trustedbpf/tbpf/verify"
)

// missing skips a test for want of something; in CI that is a failure.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

type signingKey struct {
	signer *signer.Signer
	cert   *x509.Certificate
}

func newKey(t *testing.T, algorithm string) signingKey {
	t.Helper()
	s, err := signer.Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	der, err := s.Certificate(signer.CertificateOptions{Name: "interop", Now: time.Now(), ValidFor: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keys.ParseCertificateDER(der)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{s, cert}
}

func (k signingKey) seal(t *testing.T, name string, object []byte) *seal.Seal {
	t.Helper()
	s, _, err := sign.Object(object, sign.Options{ObjectName: name, Name: "interop", Signer: k.signer, Certificate: k.cert})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (k signingKey) verify(t *testing.T, object []byte, s *seal.Seal) error {
	t.Helper()
	enc, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := keys.TrustCertificate(k.cert, "interop")
	if err != nil {
		t.Fatal(err)
	}
	_, err = verify.Bytes(seal.Join(object, enc), verify.Options{Keyring: keys.NewKeyring(trusted)})
	return err
}

func objects(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/*.bpf.o")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	all := make(map[string][]byte)
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(p)] = b
	}
	return all
}

// Every loader of BPF objects still reads a sealed object as the object.
func TestCiliumReadsSealedObjectsAsTheyWere(t *testing.T) {
	key := newKey(t, "ecdsa-p256")
	for name, object := range objects(t) {
		if _, err := skeleton.Generate(object, skeleton.Options{}); err != nil {
			continue
		}
		enc, err := key.seal(t, name, object).Encode()
		if err != nil {
			t.Fatal(err)
		}
		before, errBefore := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
		after, errAfter := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(seal.Join(object, enc)))
		if errBefore != nil {
			// Of several things that it does not support it names one or another.
			if errAfter == nil || errBefore.Error() != errAfter.Error() && !(errors.Is(errBefore, ebpf.ErrNotSupported) && errors.Is(errAfter, ebpf.ErrNotSupported)) {
				t.Errorf("%s: %v; sealed: %v", name, errBefore, errAfter)
			}
			continue
		}
		if errAfter != nil {
			t.Errorf("%s: sealed: %v", name, errAfter)
			continue
		}
		if !reflect.DeepEqual(contents(before), contents(after)) {
			t.Errorf("%s: sealed, it has other programs or maps", name)
		}
	}
}

// contents is what can be compared of a collection.
func contents(spec *ebpf.CollectionSpec) map[string]string {
	all := make(map[string]string)
	for name, p := range spec.Programs {
		all["program "+name] = p.SectionName + "\n" + p.Instructions.String()
	}
	for name, m := range spec.Maps {
		all["map "+name] = m.String()
	}
	return all
}

// xdpcount is an object that any kernel of tbpf's takes, this machine's too.
const xdpcount = "xdpcount.bpf.o"

func TestCiliumLoadsSealedObject(t *testing.T) {
	if err := rlimit.RemoveMemlock(); err != nil {
		missing(t, "loading BPF takes root: %v", err)
	}
	object := objects(t)[xdpcount]
	enc, err := newKey(t, "ecdsa-p256").seal(t, xdpcount, object).Encode()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(seal.Join(object, enc)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ebpf.NewCollection(spec)
	if errors.Is(err, os.ErrPermission) {
		missing(t, "loading BPF takes root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestBpftoolLoadsSealedObject(t *testing.T) {
	bpftool, err := exec.LookPath("bpftool")
	if err != nil || os.Getuid() != 0 {
		missing(t, "no bpftool (scripts/install-tools bpftool), or not root")
	}
	object := objects(t)[xdpcount]
	enc, err := newKey(t, "ecdsa-p256").seal(t, xdpcount, object).Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "xdpcount.tbpf")
	if err := os.WriteFile(file, seal.Join(object, enc), 0o600); err != nil {
		t.Fatal(err)
	}
	pins := t.TempDir()
	if err := unix.Mount("bpf", pins, "bpf", 0, ""); err != nil {
		missing(t, "no bpffs: %v", err)
	}
	defer func() {
		if err := unix.Unmount(pins, 0); err != nil {
			t.Error(err)
		}
	}()
	dir := filepath.Join(pins, "xdpcount")
	if out, err := exec.Command(bpftool, "prog", "loadall", file, dir).CombinedOutput(); err != nil {
		t.Fatalf("bpftool prog loadall: %v\n%s", err, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Errorf("bpftool pinned nothing: %v", err)
	}
}

// A kernel signature that openssl made of the same payload is as good as ours.
func TestOpenSSLSignatureVerifiesInASeal(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		missing(t, "openssl is not installed")
	}
	key := newKey(t, "rsa-3072")
	object := objects(t)[xdpcount]
	s := key.seal(t, xdpcount, object)
	if err := key.verify(t, object, s); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pem, err := key.signer.MarshalPlain()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "key.pem"), pem)
	write(t, filepath.Join(dir, "cert.pem"), signer.EncodeCertificate(key.cert.Raw))
	for i, l := range s.Loaders {
		payload, out := filepath.Join(dir, "payload"), filepath.Join(dir, "cms")
		write(t, payload, l.Profile.Payload(l.Instructions, s.Metadata))
		args := strings.Fields("cms -sign -binary -noattr -nocerts -keyid -nosmimecap -md sha256 -outform DER")
		args = append(args, "-in", payload, "-signer", filepath.Join(dir, "cert.pem"), "-inkey", filepath.Join(dir, "key.pem"), "-out", out)
		if b, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, b)
		}
		made, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, l.CMS) {
			t.Errorf("profile %s: openssl's signature is not byte for byte ours", l.Profile)
		}
		s.Loaders[i].CMS = made
	}
	if err := key.verify(t, object, s); err != nil {
		t.Errorf("with openssl's signatures: %v", err)
	}
	if s.Loaders[0].Profile != bpfabi.Bound {
		t.Fatal("the strongest profile does not come first")
	}
	s.Loaders[0].CMS, s.Loaders[1].CMS = s.Loaders[1].CMS, s.Loaders[0].CMS
	if err := key.verify(t, object, s); err == nil {
		t.Error("kernel signatures of two profiles were exchanged, and it verifies")
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
