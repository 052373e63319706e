package sign

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/cms"
	"github.com/trustedbpf/tbpf/internal/fsverity"
	"github.com/trustedbpf/tbpf/internal/imasig"
	"github.com/trustedbpf/tbpf/internal/program"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/mldsa"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/verify"
)

// ProgramSignatures are the signatures of a program file.
type ProgramSignatures struct {
	Statement program.Statement
	Envelope  []byte // the statement with its signature, JSON
	FSVerity  []byte // CMS for FS_IOC_ENABLE_VERITY; nil if the kernel takes no signature by the key
	IMA       []byte // value of the attribute security.ima, if it was asked for
}

// Program signs a program file: a statement, the fs-verity digest for the
// kernel, and for IMA if that is wanted. What it returns was verified.
func Program(file []byte, s program.Statement, key *signer.Signer, cert *x509.Certificate, ima bool) (*ProgramSignatures, error) {
	payload, err := s.Encode()
	if err != nil {
		return nil, err
	}
	e := &program.Envelope{Payload: payload}
	value, err := key.Sign(e.Message())
	if err != nil {
		return nil, fmt.Errorf("sign statement: %w", err)
	}
	e.Signatures = []program.Signature{{KeyID: key.ID(), Value: value}}
	out := &ProgramSignatures{Statement: s}
	if out.Envelope, err = e.Marshal(); err != nil {
		return nil, err
	}
	if keys.KernelKey(key.Public()) == nil {
		if out.FSVerity, err = signVerity(s, key, cert); err != nil {
			return nil, err
		}
	}
	if ima {
		if value, err = key.Sign(file); err != nil {
			return nil, fmt.Errorf("sign for IMA: %w", err)
		}
		if out.IMA, err = imasig.Encode(cert, value); err != nil {
			return nil, err
		}
	}
	trusted, err := keys.TrustCertificate(cert, "signer")
	if err != nil {
		return nil, err
	}
	if _, err := verify.File(file, out.Envelope, verify.Options{Keyring: keys.NewKeyring(trusted), Checker: mldsa.Checker()}); err != nil {
		return nil, fmt.Errorf("the new statement does not verify: %w", err)
	}
	return out, nil
}

// signVerity makes what FS_IOC_ENABLE_VERITY takes as a signature (fs/verity/signature.c).
func signVerity(s program.Statement, key *signer.Signer, cert *x509.Certificate) ([]byte, error) {
	digest, err := hex.DecodeString(s.FSVerity)
	if err != nil || len(digest) != sha256.Size {
		return nil, errors.New("the statement has no fs-verity digest")
	}
	signed := fsverity.Signed([sha256.Size]byte(digest))
	value, err := key.Sign(signed)
	if err != nil {
		return nil, fmt.Errorf("sign fs-verity digest: %w", err)
	}
	der, err := cms.Encode(cert, value)
	if err != nil {
		return nil, err
	}
	parsed, err := cms.Parse(der)
	if err == nil {
		err = parsed.Check(cert, signed)
	}
	return der, err
}
