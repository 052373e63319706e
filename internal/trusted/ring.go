//go:build linux

package trusted

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/internal/sorted"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader"
)

// ringPath is where the file system is mounted that holds the boot's keyring.
const ringPath = bpffs + "/tbpf-keyring"

// ring is the keyring of this boot: one for every object and every run, so that
// whoever guards the kernel can ask for it by its serial number. It is made
// when the first object needs it, of the certificates that the machine trusts
// then and that are not revoked. Where there is one already for the same
// certificates, that is it: one that is revoked later is in it until the machine
// is started anew, for a gate asks for this keyring and no other. A run with
// other certificates makes another one, and the old one goes.
func (s *System) ring() (keyring.Reference, error) {
	if !s.made.IsZero() {
		return s.made, nil
	}
	want := record.Ring{Boot: s.boot, Description: ringDescription(s.kernelSigners(true))}
	have, err := s.store.ReadRing()
	if _, malformed := errors.AsType[*record.Error](err); err != nil && !malformed {
		return s.made, fail(codeFailed, "record", err)
	}
	if have != nil && have.Boot == want.Boot && have.Description == want.Description {
		ring := keyring.Serial(have.Serial)
		is, err := ring.IsShared(want.Description)
		if err != nil {
			return s.made, fail(codeFailed, "keyring", err)
		}
		if is {
			s.made = ring
			return ring, nil
		}
	}
	ring, err := loader.MakeRing(ringPath, want.Description, s.kernelSigners(false))
	if err != nil {
		return s.made, err
	}
	want.Serial = ring.ID()
	if err := s.store.WriteRing(&want); err != nil {
		return s.made, fail(codeFailed, "record", fmt.Errorf("the kernel keyring cannot be recorded: %w", err))
	}
	s.made = ring
	return ring, nil
}

// ringFor is the boot's keyring, if it is to hold the certificate.
func (s *System) ringFor(cert *x509.Certificate) (keyring.Reference, error) {
	for _, c := range s.kernelSigners(false) {
		if c.Equal(cert) {
			return s.ring()
		}
	}
	return keyring.Reference{}, nil
}

// kernelSigners are the certificates that the kernel shall know: those that
// count now, of keys of a kind that kernels take. Who loads by the kernel alone
// does not ask for revocations.
func (s *System) kernelSigners(revoked bool) []*x509.Certificate {
	var list []*x509.Certificate
	for _, key := range s.keyring.Keys() {
		algorithm, err := key.Algorithm()
		if !revoked && s.revoked.RevokesKey(key.ID) {
			continue
		}
		if err != nil || !s.policy.AllowsAlgorithm(algorithm) || keys.KernelKey(key.Public) != nil {
			continue
		}
		for _, cert := range key.Certificates {
			if s.policy.Validity != policy.ValidNow || keys.CheckCertificate(cert, s.now) == nil {
				list = append(list, cert)
			}
		}
	}
	return list
}

// ringDescription names a keyring by what is to be in it, in whatever order.
func ringDescription(certificates []*x509.Certificate) string {
	var digests []string
	for _, cert := range certificates {
		digest := sha256.Sum256(cert.Raw)
		digests = append(digests, hex.EncodeToString(digest[:]))
	}
	sorted.Strings(digests)
	digest := sha256.Sum256([]byte(strings.Join(digests, "")))
	return "tbpf:" + hex.EncodeToString(digest[:])
}
