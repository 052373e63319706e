// Package keys is about public keys: which ones tbpf takes, how they are
// named, what a signature by them must look like, and which ones a machine
// trusts.
//
// It guarantees that one key has one ID, that a signature which Verify accepts
// has exactly one encoding, and that a Keyring holds nothing that could not be
// read completely. Weak keys (RSA under 2048 bits, curves outside P-256, P-384
// and P-521) and weak digests (SHA-1, MD5) are refused everywhere.
//
// Most callers want LoadKeyring or LoadSystemKeyring, then Keyring.Find,
// TrustedKey.Check and Verify.
//
// sign, verify, loader, internal/cms and internal/seal import it. It must not
// import keys/signer, sign, cobra or sigstore: the trusted loader links it.
package keys
