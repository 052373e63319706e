package sign

import (
	"errors"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys/signer"
)

// Message is one thing that has to be signed for a seal.
type Message struct {
	Name    string // "statement", or the profile that it is for
	Content []byte // what is signed
	Signer  *signer.Signer
}

// Digest is what goes into the signature: the digest of the content, or the
// content where the algorithm takes that.
func (m *Message) Digest() []byte {
	hash := m.Signer.Algorithm().Hash()
	if hash == 0 {
		return m.Content
	}
	w := hash.New()
	w.Write(m.Content)
	return w.Sum(nil)
}

// Messages returns what Object would sign, in the order of making, for keys
// that sign elsewhere. The same object and options give the same.
func Messages(object []byte, opt Options) ([]Message, *manifest.Manifest, error) {
	s, m, kernel, err := opt.draft(object)
	if err != nil {
		return nil, nil, err
	}
	list := []Message{{"statement", dsse.PAE(manifest.PayloadType, s.Payload), opt.Signer}}
	if kernel != nil {
		for i := range s.Loaders {
			l := &s.Loaders[i]
			list = append(list, Message{l.Profile.String(), l.Profile.Payload(l.Instructions, s.Metadata), kernel.signer})
		}
	}
	return list, m, nil
}

// ErrSignatureMissing says that a message has no signature yet.
var ErrSignatureMissing = errors.New("there is no signature")

// Complete is Object with signatures that were made elsewhere, by the names of
// Messages. The options are those that Messages had; of their signers only the
// public keys count. A signature of anything else than what is made now of the
// object is refused.
func Complete(object []byte, opt Options, signatures map[string][]byte) (*seal.Seal, *manifest.Manifest, error) {
	list, _, err := Messages(object, opt)
	if err != nil {
		return nil, nil, err
	}
	made := make(map[string][]byte, len(list))
	for i := range list {
		sig, ok := signatures[list[i].Name]
		if !ok {
			return nil, nil, fmt.Errorf("%w of %q", ErrSignatureMissing, list[i].Name)
		}
		made[list[i].Signer.ID().String()+string(list[i].Digest())] = sig
	}
	external := func(s *signer.Signer) (*signer.Signer, error) {
		if s == nil {
			return nil, nil
		}
		id := s.ID().String()
		return signer.External(s.Public(), func(digest []byte) ([]byte, error) { return made[id+string(digest)], nil })
	}
	if opt.Signer, err = external(opt.Signer); err != nil {
		return nil, nil, err
	}
	if opt.KernelSigner, err = external(opt.KernelSigner); err != nil {
		return nil, nil, err
	}
	return Object(object, opt)
}
