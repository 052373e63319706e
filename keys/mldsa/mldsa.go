// Package mldsa checks ML-DSA signatures (FIPS 204) of the two parameter sets
// that tbpf takes: pure, with an empty context, as RFC 9881 and RFC 9882 have
// them. It is experimental.
//
// Whoever is to check them passes Checker on; nobody has it by importing this.
// cmd/tbpf, sign and keys/signer do. verify, loader and the trusted loader must
// not import it: the algorithm is more than the trusted loader has room for.
package mldsa

import (
	"filippo.io/mldsa"

	"github.com/trustedbpf/tbpf/keys"
)

// Checker returns a checker of all algorithms.
func Checker() keys.Checker { return keys.Checker{MLDSA: verify} }

// Parameters returns the parameter set of an algorithm; ok is false for what is
// no ML-DSA that tbpf takes.
func Parameters(alg keys.Algorithm) (set mldsa.Parameters, ok bool) {
	switch alg {
	case keys.MLDSA65:
		return mldsa.MLDSA65(), true
	case keys.MLDSA87:
		return mldsa.MLDSA87(), true
	}
	return set, false
}

func verify(alg keys.Algorithm, public, message, sig []byte) bool {
	set, ok := Parameters(alg)
	if !ok {
		return false
	}
	key, err := mldsa.NewPublicKey(set, public)
	return err == nil && mldsa.Verify(key, message, sig, nil) == nil
}
