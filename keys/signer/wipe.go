package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"
)

// wipe overwrites the secret parts of a key.
func wipe(key crypto.Signer) {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 wiping spoils the key, as it should
		wipeInt(k.D)
	case *rsa.PrivateKey:
		wipeInt(k.D)
		for _, prime := range k.Primes {
			wipeInt(prime)
		}
		wipeInt(k.Precomputed.Dp)
		wipeInt(k.Precomputed.Dq)
		wipeInt(k.Precomputed.Qinv)
	case ed25519.PrivateKey:
		clear(k)
	case *mldsaKey:
		k.key = nil // its secrets are where only the collector gets
	}
}

func wipeInt(n *big.Int) {
	if n != nil {
		clear(n.Bits())
	}
}
