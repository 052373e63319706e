//go:build vmguest

package guesttest

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/sign/skeleton"
	"github.com/trustedbpf/tbpf/verify"
)

// A congestion control in BPF is there as long as its link, on kernels whose
// layout it was signed for and on no other.
func TestStructOps(t *testing.T) {
	types, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Fatal(err)
	}
	// Another kernel: one that calls a member otherwise which the object does
	// not have.
	other := bytes.Replace(types, []byte("\x00sndbuf_expand\x00"), []byte("\x00sndbuf_extend\x00"), 1)
	if bytes.Equal(other, types) {
		t.Fatal("this kernel's types have no sndbuf_expand")
	}
	for _, isolate := range []bool{false, true} {
		if kernel(t) == "6.1" {
			_, err := loadStructOps(t, isolate, types)
			var refusal *loader.Error
			if !errors.As(err, &refusal) || refusal.Verdict() != loader.Unsupported {
				t.Errorf("isolated %v: before links of struct_ops: %v", isolate, err)
			}
			continue
		}
		for name, given := range map[string][][]byte{"its own": {types}, "the second of two": {other, types}} {
			l, err := loadStructOps(t, isolate, given...)
			if err != nil {
				t.Errorf("isolated %v, %s: %v", isolate, name, err)
				continue
			}
			if !hasCongestionControl(t) {
				t.Errorf("isolated %v, %s: it was loaded, and is not there", isolate, name)
			}
			if links := l.Report().Links; len(links) != 1 || links[0].Map != "steady" {
				t.Errorf("isolated %v, %s: links %+v", isolate, name, links)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			for range 100 {
				if !hasCongestionControl(t) {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			if hasCongestionControl(t) {
				t.Errorf("isolated %v, %s: it is still there", isolate, name)
			}
		}
		_, err := loadStructOps(t, isolate, other)
		var refusal *loader.Error
		if !errors.As(err, &refusal) || refusal.Reason != "layout-unknown" || refusal.Verdict() != loader.Unsupported {
			t.Errorf("isolated %v: with another kernel's layout: %v", isolate, err)
		}
		if hasCongestionControl(t) {
			t.Errorf("isolated %v: a refused one is there", isolate)
		}
	}
}

// loadStructOps signs the fixture for kernels with these types, and loads it.
func loadStructOps(t *testing.T, isolate bool, kernels ...[]byte) (*loader.Loaded, error) {
	t.Helper()
	opt := sign.Options{ObjectName: "structops.bpf.o", Name: "structops"}
	for _, raw := range kernels {
		types, err := skeleton.ParseKernelTypes(raw)
		if err != nil {
			t.Fatal(err)
		}
		opt.Skeleton.KernelTypes = append(opt.Skeleton.KernelTypes, types)
	}
	return loadSigned(t, "testdata/refused/structops.bpf.o", opt, loader.Options{Isolate: isolate})
}

// loadSigned signs an object with a new key, verifies and loads it.
func loadSigned(t *testing.T, path string, opt sign.Options, how loader.Options) (*loader.Loaded, error) {
	t.Helper()
	object, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.Generate("rsa-3072")
	if err != nil {
		t.Fatal(err)
	}
	der, err := key.Certificate(signer.CertificateOptions{Name: "guest", Now: time.Now(), ValidFor: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keys.ParseCertificateDER(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := keys.TrustCertificate(cert, "guest")
	if err != nil {
		t.Fatal(err)
	}
	opt.Signer, opt.Certificate = key, cert
	made, _, err := sign.Object(object, opt)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := made.Encode()
	if err != nil {
		t.Fatal(err)
	}
	ring := keys.NewKeyring(trusted)
	verified, err := verify.Bytes(seal.Join(object, encoded), verify.Options{Keyring: ring, Regenerate: sign.Regenerate})
	if err != nil {
		t.Fatal(err)
	}
	how.Trusted, how.KernelVerify, how.Timeout = ring, loader.IfAvailable, time.Minute
	return loader.Load(verified, how)
}

func hasCongestionControl(t *testing.T) bool {
	t.Helper()
	list, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(list), "tbpf_steady")
}
