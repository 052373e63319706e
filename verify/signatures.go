package verify

import (
	"crypto"
	"time"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
)

// signer is one signature that was found right, and what became of it.
type signer struct {
	id        keys.ID
	algorithm keys.Algorithm
	trusted   *keys.TrustedKey // nil: not in the keyring, counts for nothing
	dropped   *Error           // why a trusted one does not count; nil if it does
	// created is when a countersigner says to have signed; zero for a signature
	// of the manifest, which says it.
	created time.Time
}

func (s *signer) counts() bool { return s.trusted != nil && s.dropped == nil }

// checkSignatures checks every signature with the key that it brings. A wrong
// one makes the whole file bad, whoever it claims to be by: bytes that nothing
// binds could be changed. So does one that this program cannot check, for the
// same reason. That it is right makes nobody trusted: the keyring
// is asked later, by the key's id. The signers are in the order of the seal's
// Signers.
func checkSignatures(s *seal.Seal, object seal.Digest, checker keys.Checker) ([]signer, *Error) {
	message := dsse.PAE(manifest.PayloadType, s.Payload)
	out := make([]signer, 0, len(s.Signatures)+len(s.Countersignatures))
	for i := range s.Signatures {
		one, err := checkSignature(&s.Signatures[i], i, s.Payload, message, checker)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	// A countersigner signs a statement that is made here of what the file has,
	// so that it fits no other file.
	for i, statement := range s.Statements(object) {
		c := &s.Countersignatures[i]
		one, err := checkSignature(&c.Signature, len(out), statement, dsse.PAE(manifest.PayloadType, statement), checker)
		if err != nil {
			return nil, err
		}
		one.created = c.Time()
		out = append(out, one)
	}
	return out, nil
}

// checkSignature checks one signature; message is what is signed, the encoding
// of payload.
func checkSignature(g *seal.Signature, i int, payload, message []byte, checker keys.Checker) (signer, *Error) {
	pub, err := g.Key()
	if err != nil {
		return signer{}, refuse(MalformedKey, "signature %d: %v", i+1, err)
	}
	id, err := keys.IDOf(pub)
	if err != nil {
		return signer{}, refuse(MalformedKey, "signature %d: %v", i+1, err)
	}
	if id != g.KeyID {
		return signer{}, refuse(KeyIDMismatch, "signature %d: its key id is not that of its key", i+1)
	}
	switch err := checker.Verify(pub, g.Algorithm, message, g.Value); {
	case err == keys.ErrUnchecked:
		return signer{}, refuseErr(AlgorithmUnchecked, err)
	case err != nil:
		return signer{}, wrongSignature(pub, g, payload, err, checker)
	}
	return signer{id: id, algorithm: g.Algorithm}, nil
}

// wrongSignature words a refusal. A signature of the bare statement is a
// likely mistake and gets its own reason; it is refused all the same.
func wrongSignature(pub crypto.PublicKey, g *seal.Signature, payload []byte, err error, checker keys.Checker) *Error {
	if checker.VerifyAnyS(pub, g.Algorithm, payload, g.Value) == nil {
		return &Error{Reason: SignatureNoPAE, Err: err,
			Detail: "the signature by key " + g.KeyID.String() + " is of the bare statement, not of its DSSE encoding",
			Hint:   "sign the statement as an attestation (cosign attest-blob), not as a blob"}
	}
	return &Error{Reason: WrongSignature, Err: err,
		Detail: "the signature by key " + g.KeyID.String() + " is wrong: the file was changed after signing, or badly signed"}
}
