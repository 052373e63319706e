package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/sign/skeleton"
	"github.com/trustedbpf/tbpf/verify"
)

// Sealer signs objects with a key of its own.
type Sealer struct {
	CertificateDER []byte
	// KernelTypes are the kernels that struct_ops maps are made for.
	KernelTypes []*skeleton.KernelTypes

	key     *signer.Signer
	keyring *keys.Keyring
}

// NewSealer makes a key for this run.
func NewSealer() (*Sealer, error) {
	key, err := signer.Generate("ecdsa-p256")
	if err != nil {
		return nil, err
	}
	der, err := key.Certificate(signer.CertificateOptions{Name: "corpus", Now: time.Now(), ValidFor: 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	cert, err := keys.ParseCertificateDER(der)
	if err != nil {
		return nil, err
	}
	trusted, err := keys.TrustCertificate(cert, "corpus")
	if err != nil {
		return nil, err
	}
	return &Sealer{CertificateDER: der, key: key, keyring: keys.NewKeyring(trusted)}, nil
}

// Seal signs an object, verifies what came of it against a second generation
// of the loader programs, and takes the object out again. A refusal is the
// object's; an error is tbpf's. Where programs of the object are optional, without
// is the same object sealed without them, as libbpf loads it.
func (s *Sealer) Seal(name string, object []byte) (sealed, without []byte, refusal string, err error) {
	cert, err := keys.ParseCertificateDER(s.CertificateDER)
	if err != nil {
		return nil, nil, "", err
	}
	options := sign.Options{
		ObjectName: filepath.Base(name), Name: "corpus", Signer: s.key, Certificate: cert,
		Skeleton: skeleton.Options{KernelTypes: s.KernelTypes},
	}
	made, m, err := sign.Object(object, options)
	if err != nil && strings.Contains(err.Error(), "struct_ops: ") {
		refusal := err
		if options.Skeleton.KernelTypes = s.fitting(object, options); len(options.Skeleton.KernelTypes) == 0 {
			return nil, nil, refusal.Error(), nil
		}
		made, m, err = sign.Object(object, options)
	}
	if err != nil {
		return nil, nil, err.Error(), nil
	}
	if sealed, err = s.prove(object, made); err != nil {
		return nil, nil, "", err
	}
	for i := range m.Programs {
		if m.Programs[i].Optional {
			options.Skeleton.Without = append(options.Skeleton.Without, m.Programs[i].Name)
		}
	}
	if len(options.Skeleton.Without) == 0 {
		return sealed, nil, "", nil
	}
	made, _, err = sign.Object(object, options)
	if err != nil {
		return sealed, nil, "", nil // nothing is left of it, or what is left needs what is not
	}
	without, err = s.prove(object, made)
	return sealed, without, "", err
}

// prove verifies what was just made.
func (s *Sealer) prove(object []byte, made *seal.Seal) ([]byte, error) {
	encoded, err := made.Encode()
	if err != nil {
		return nil, err
	}
	sealed := seal.Join(object, encoded)
	verified, err := verify.Bytes(sealed, verify.Options{Keyring: s.keyring, Regenerate: sign.Regenerate})
	if err != nil {
		return nil, fmt.Errorf("verify what was just sealed: %w", err)
	}
	if !bytes.Equal(verified.Object(), object) {
		return nil, errors.New("the object inside is not the one that was sealed")
	}
	return sealed, nil
}

// fitting are the kernels that have what an object's struct_ops maps need: it
// can be made for these, and not for all at once.
func (s *Sealer) fitting(object []byte, options sign.Options) []*skeleton.KernelTypes {
	var fit []*skeleton.KernelTypes
	for _, types := range s.KernelTypes {
		options.Skeleton.KernelTypes = []*skeleton.KernelTypes{types}
		if _, _, err := sign.Object(object, options); err == nil {
			fit = append(fit, types)
		}
	}
	return fit
}
