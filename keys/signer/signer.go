// Package signer is about private keys: it opens them, makes them, writes them
// down and signs with them.
//
// It guarantees that no signature leaves it that keys.Verify refuses, that a
// key file which others may read is not used, that nothing is overwritten, and
// that no error has key bytes or passwords in its text.
//
// Most callers want Open and Signer.Sign. A process that holds private keys
// calls ForbidCoreDumps first.
//
// cmd/tbpf and sign import it. verify, loader and the trusted loader must not:
// they need no private key.
package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
)

// ErrClosed says that a Signer was used after Close.
var ErrClosed = errors.New("the private key is closed")

// Signer signs with one private key. It may be used concurrently.
type Signer struct {
	public    crypto.PublicKey
	algorithm keys.Algorithm
	id        keys.ID

	mu  sync.RWMutex // guards key against Close while it signs
	key crypto.Signer
}

// New makes a Signer of a key that is already at hand. The Signer takes it
// over: Close wipes it. The error is a *keys.KeyError for keys that tbpf does
// not take.
func New(key crypto.Signer) (*Signer, error) {
	public := key.Public()
	algorithm, err := keys.AlgorithmFor(public)
	if err != nil {
		return nil, err
	}
	id, err := keys.IDOf(public)
	if err != nil {
		return nil, err
	}
	return &Signer{public: public, algorithm: algorithm, id: id, key: key}, nil
}

// Public returns the public key.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// Algorithm returns what Sign signs with.
func (s *Signer) Algorithm() keys.Algorithm { return s.algorithm }

// ID returns the key's ID.
func (s *Signer) ID() keys.ID { return s.id }

// KernelCapable reports whether the kernel can check signatures by this key.
// keys.KernelKey says why not.
func (s *Signer) KernelCapable() bool { return keys.KernelKey(s.public) == nil }

// Sign returns the plain signature over message, in the one encoding that
// keys.Verify takes. It is checked before it is returned: a fault in the key,
// in memory or in a remote signer must not end up in a file.
func (s *Signer) Sign(message []byte) ([]byte, error) {
	sig, checked, err := s.sign(message)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if k, ok := s.public.(*ecdsa.PublicKey); ok {
		if sig, err = keys.NormalizeECDSA(sig, k.Curve); err != nil {
			return nil, fmt.Errorf("sign: the signer returned no signature: %w", err)
		}
	}
	if checked {
		return sig, nil
	}
	if err := mldsa.Checker().Verify(s.public, s.algorithm, message, sig); err != nil {
		return nil, fmt.Errorf("sign: the signer returned a wrong signature: %w", err)
	}
	return sig, nil
}

// sign also reports whether what it returns was checked: crypto/rsa does so
// with its own keys (crypto/internal/fips140/rsa, withCheck), and a check takes
// a twentieth of the signature's time.
func (s *Signer) sign(message []byte) (sig []byte, checked bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.key == nil {
		return nil, false, ErrClosed
	}
	hash, digest := s.algorithm.Hash(), message
	if hash != 0 {
		w := hash.New()
		w.Write(message)
		digest = w.Sum(nil)
	}
	_, checked = s.key.(*rsa.PrivateKey)
	sig, err = s.key.Sign(rand.Reader, digest, hash)
	return sig, checked, err
}

// Close wipes the private key as far as Go allows: the standard library keeps
// copies of its own that nothing can reach. Sign fails afterwards.
func (s *Signer) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	wipe(s.key)
	s.key = nil
}
