package seal

import (
	"encoding/binary"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/keys"
)

// Decode reads a seal with its footer, as Split and Encode return it and as a
// detached seal's file holds it. The result aliases b. The error is
// ErrUnsigned if b does not end as a seal does, a *MalformedError otherwise.
func Decode(b []byte) (*Seal, error) {
	n, err := parseFooter(b)
	if err != nil {
		return nil, err
	}
	if n != len(b)-footerSize {
		return nil, malformed("%d bytes stand before it", len(b)-footerSize-n)
	}
	s := new(Seal)
	last := recordType(0)
	for rest := b[:n:n]; len(rest) > 0; {
		var t recordType
		var body []byte
		if t, body, rest, err = nextRecord(rest); err != nil {
			return nil, err
		}
		if t < last || t == last && !t.repeats() {
			return nil, malformed("a %v record after a %v record", t, last)
		}
		last = t
		if err := s.add(t, body); err != nil {
			return nil, err
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// add stores one record. check sees to what must be there and to sizes; only
// the counts are bounded here, before anything is allocated for them.
func (s *Seal) add(t recordType, body []byte) error {
	switch t {
	case recordStatement:
		s.Payload = body
	case recordSignature:
		if len(s.Signatures) == MaxSignatures {
			return malformed("more than %d signatures", MaxSignatures)
		}
		g, err := decodeSignature(body)
		if err != nil {
			return err
		}
		s.Signatures = append(s.Signatures, g)
	case recordCertificate:
		if len(s.Certificates) == maxCertificates {
			return malformed("more than %d certificate records", maxCertificates)
		}
		s.Certificates = append(s.Certificates, body)
	case recordMetadata:
		s.Metadata = body
	case recordLoader:
		if len(s.Loaders) == len(bpfabi.Profiles()) {
			return malformed("more than %d loader programs", len(bpfabi.Profiles()))
		}
		l, err := decodeLoader(body)
		if err != nil {
			return err
		}
		s.Loaders = append(s.Loaders, l)
	case recordCountersignature:
		if len(s.Countersignatures) == MaxSignatures {
			return malformed("more than %d countersignatures", MaxSignatures)
		}
		c, err := decodeCountersignature(body)
		if err != nil {
			return err
		}
		s.Countersignatures = append(s.Countersignatures, c)
	}
	return nil
}

func decodeSignature(body []byte) (Signature, error) {
	if len(body) < signatureHead {
		return Signature{}, malformed("a signature record of %d bytes is cut short", len(body))
	}
	g := Signature{KeyID: keys.ID(body[:32]), Algorithm: keys.Algorithm(body[32])}
	form, n := body[33], int(binary.LittleEndian.Uint16(body[34:]))
	body = body[signatureHead:]
	if n > len(body) {
		return Signature{}, malformed("a key of %d bytes does not fit its signature record", n)
	}
	switch form {
	case keySPKI:
		g.PublicKey = body[:n:n]
	case keyCertificate:
		g.Certificate = body[:n:n]
	default:
		return Signature{}, malformed("key form %d is not known", form)
	}
	g.Value = body[n:]
	return g, nil
}

func decodeLoader(body []byte) (Loader, error) {
	if len(body) < loaderHead {
		return Loader{}, malformed("a loader record of %d bytes is cut short", len(body))
	}
	l := Loader{Profile: bpfabi.Profile(body[0])}
	n := int(binary.LittleEndian.Uint16(body[1:]))
	body = body[loaderHead:]
	if n > len(body) {
		return Loader{}, malformed("a kernel signature of %d bytes does not fit its loader record", n)
	}
	if n > 0 {
		l.CMS = body[:n:n]
	}
	l.Instructions = body[n:]
	return l, nil
}
