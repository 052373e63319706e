package seal

import (
	"bytes"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// check holds every rule on the content of a seal. Encode and Decode both
// call it, so that neither gives out what the other refuses.
func (s *Seal) check() error {
	if n := len(s.Payload); n == 0 || n > MaxStatement {
		return malformed("a statement has 1 to %d bytes, this one %d", MaxStatement, n)
	}
	if n := len(s.Signatures); n == 0 || n > MaxSignatures {
		return malformed("a seal has 1 to %d signatures, this one %d", MaxSignatures, n)
	}
	for i := range s.Signatures {
		if err := s.Signatures[i].check(); err != nil {
			return err
		}
		// Strictly ascending: one order only, and no key twice.
		if i > 0 && bytes.Compare(s.Signatures[i-1].KeyID[:], s.Signatures[i].KeyID[:]) >= 0 {
			return malformed("signatures are not in the order of their key ids, or one key has two")
		}
	}
	if err := s.checkCountersignatures(); err != nil {
		return err
	}
	if err := s.checkCertificates(); err != nil {
		return err
	}
	if n := len(s.Metadata); n < MinMetadata || n%8 != 0 {
		return malformed("metadata has a multiple of eight bytes, this one %d", n)
	}
	// The zeroes are no instruction: no loader program can be made longer by
	// moving the boundary between the two into the metadata.
	if !bytes.Equal(s.Metadata[:MinMetadata], make([]byte, MinMetadata)) {
		return malformed("metadata does not begin with eight zero bytes")
	}
	return s.checkLoaders()
}

func (g *Signature) check() error {
	switch {
	case (g.Certificate == nil) == (g.PublicKey == nil):
		return malformed("a signature carries a certificate or a public key, and not both")
	case g.Certificate != nil && (len(g.Certificate) == 0 || len(g.Certificate) > MaxCertificate):
		return malformed("a certificate has 1 to %d bytes, this one %d", MaxCertificate, len(g.Certificate))
	case g.PublicKey != nil && (len(g.PublicKey) == 0 || len(g.PublicKey) > MaxPublicKey):
		return malformed("a public key has 1 to %d bytes, this one %d", MaxPublicKey, len(g.PublicKey))
	case len(g.Value) == 0 || len(g.Value) > MaxSignature:
		return malformed("a signature has 1 to %d bytes, this one %d", MaxSignature, len(g.Value))
	}
	return nil
}

// checkCertificates sees to it that one certificate stands in the seal once.
func (s *Seal) checkCertificates() error {
	if n := len(s.Certificates); n > maxCertificates {
		return malformed("a seal has at most %d certificate records, this one %d", maxCertificates, n)
	}
	for i, c := range s.Certificates {
		if len(c) == 0 || len(c) > MaxCertificate {
			return malformed("a certificate has 1 to %d bytes, this one %d", MaxCertificate, len(c))
		}
		if i > 0 && bytes.Compare(s.Certificates[i-1], c) >= 0 {
			return malformed("certificates are not in the order of their bytes, or one has two records")
		}
	}
	var seen [][]byte
	for c := range s.EmbeddedCertificates {
		for _, other := range seen {
			if bytes.Equal(c, other) {
				return malformed("one certificate stands in two records")
			}
		}
		seen = append(seen, c)
	}
	return nil
}

func (s *Seal) checkLoaders() error {
	if len(s.Loaders) == 0 {
		return malformed("there is no loader program")
	}
	last := bpfabi.Profile(0)
	for i := range s.Loaders {
		l := &s.Loaders[i]
		switch {
		case l.Profile < bpfabi.Bound || l.Profile > bpfabi.Selfcheck:
			return malformed("profile %d is not known", uint8(l.Profile))
		case l.Profile <= last:
			return malformed("loader programs are not in the order of their profiles, or one profile has two")
		case l.CMS != nil && (len(l.CMS) == 0 || len(l.CMS) > MaxCMS):
			return malformed("a kernel signature has 1 to %d bytes, this one %d", MaxCMS, len(l.CMS))
		case len(l.Instructions) < minLoader || len(l.Instructions) > MaxLoader || len(l.Instructions)%8 != 0:
			return malformed("a loader program has %d to %d bytes, a multiple of eight, this one %d", minLoader, MaxLoader, len(l.Instructions))
		case len(l.Instructions)+len(s.Metadata) > MaxSigned:
			return malformed("loader program and metadata have %d bytes, %d are allowed", len(l.Instructions)+len(s.Metadata), MaxSigned)
		}
		last = l.Profile
	}
	return nil
}
