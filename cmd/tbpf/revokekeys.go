package main

import (
	"errors"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/verify"
)

// authentic refuses to go on from a list that nobody known signed: its entries
// would be signed anew without anybody having said them.
func (r *revoke) authentic(old *revocation.File, key *signer.Signer) error {
	own, err := keys.TrustKey(key.Public(), "--key")
	if err != nil {
		return err
	}
	ring := keys.NewKeyring(own)
	if len(r.keyrings) > 0 {
		more, err := keys.LoadKeyring(r.keyrings)
		if err != nil {
			return err
		}
		ring = keys.NewKeyring(append(more.Keys(), own)...)
	}
	known := false
	for _, g := range old.Signatures {
		trusted := ring.Find(g.KeyID)
		if trusted == nil {
			continue
		}
		if err := old.Check(g, trusted, mldsa.Checker()); err != nil {
			return &verify.Error{Reason: verify.RevocationRefused, Err: err, Detail: fmt.Sprintf("the signature by key %v is wrong", g.KeyID)}
		}
		known = true
	}
	if !known {
		return withHint(errors.New("the list that is there is not signed by this key"), "name the key that signed it with --keyring, if you trust it")
	}
	return nil
}
