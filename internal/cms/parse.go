package cms

import (
	"bytes"
	"math/big"

	"github.com/trustedbpf/tbpf/keys"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxCertificates are a signer's and those of the CAs that may stand above it.
const maxCertificates = 1 + keys.MaxIntermediates

// Parse reads a kernel signature. It takes the form that Encode,
// EncodeChain and EncodeIssuerSerial make and nothing else: no BER, no second
// SignerInfo, no attributes or CRLs, no content, no trailing bytes. Certificates
// are in the order of their bytes, each once, and are not looked at.
//
// The result has its own copies of all bytes. The error has ErrFormat in its
// chain.
func Parse(der []byte) (*SignedData, error) {
	if len(der) > MaxSize {
		return nil, formatError("longer than the kernel takes")
	}
	s, err := parse(der)
	if err != nil {
		return nil, err
	}
	// What parse does not look at (parameters of algorithms) is checked here,
	// and so would be any liberty that a later cryptobyte takes with DER.
	again, err := s.encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, der) {
		return nil, formatError("not in its one encoding")
	}
	return s, nil
}

func parse(der []byte) (*SignedData, error) {
	explicit0 := asn1.Tag(0).Constructed().ContextSpecific()
	var info, wrapped, data, digests, content, signers, signer cryptobyte.String
	var version int64
	in := cryptobyte.String(der)
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() {
		return nil, formatError("not one SEQUENCE in DER")
	}
	if !readOID(&info, idSignedData) || !info.ReadASN1(&wrapped, explicit0) || !info.Empty() ||
		!wrapped.ReadASN1(&data, asn1.SEQUENCE) || !wrapped.Empty() {
		return nil, formatError("not SignedData")
	}
	if !data.ReadASN1Int64WithTag(&version, asn1.INTEGER) || !data.ReadASN1(&digests, asn1.SET) {
		return nil, formatError("SignedData without version or digest algorithms")
	}
	if !data.ReadASN1(&content, asn1.SEQUENCE) || !readOID(&content, idData) || !content.Empty() {
		return nil, formatError("its content is not detached data")
	}
	certificates, err := parseCertificates(&data, explicit0)
	if err != nil {
		return nil, err
	}
	if !data.ReadASN1(&signers, asn1.SET) || !data.Empty() {
		return nil, formatError("more than certificates and signers after the content: CRLs are not taken")
	}
	if !signers.ReadASN1(&signer, asn1.SEQUENCE) || !signers.Empty() {
		return nil, formatError("not exactly one signer")
	}
	s, err := parseSigner(version, digests, signer)
	if err != nil {
		return nil, err
	}
	if certificates != nil && s.SubjectKeyID != nil {
		return nil, formatError("certificates, and a signer named by its subject key identifier, which the kernel does not look for among them")
	}
	s.Certificates = certificates
	return s, nil
}

// parseCertificates reads the certificates, if there are some.
func parseCertificates(data *cryptobyte.String, tag asn1.Tag) ([][]byte, error) {
	var list cryptobyte.String
	var present bool
	if !data.ReadOptionalASN1(&list, &present, tag) || present && list.Empty() {
		return nil, formatError("an empty list of certificates")
	}
	var out [][]byte
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadASN1Element(&der, asn1.SEQUENCE) {
			return nil, formatError("a certificate that is none")
		}
		if n := len(out); n == maxCertificates || n > 0 && bytes.Compare(out[n-1], der) >= 0 {
			return nil, formatError("certificates too many, twice or out of order")
		}
		out = append(out, bytes.Clone(der))
	}
	return out, nil
}

func parseSigner(version int64, digests, signer cryptobyte.String) (*SignedData, error) {
	var signerVersion int64
	s := &SignedData{}
	if !signer.ReadASN1Int64WithTag(&signerVersion, asn1.INTEGER) || signerVersion != version {
		return nil, formatError("the versions of SignedData and SignerInfo differ")
	}
	if err := s.parseIdentifier(version, &signer); err != nil {
		return nil, err
	}
	listed, ok := readAlgorithm(&digests)
	if !ok || !digests.Empty() {
		return nil, formatError("not exactly one digest algorithm")
	}
	digest, ok := readAlgorithm(&signer)
	if !ok || string(digest) != string(listed) {
		return nil, formatError("the signer's digest algorithm is not the one listed")
	}
	signature, ok := readAlgorithm(&signer)
	if !ok {
		return nil, formatError("signed attributes, or no signature algorithm")
	}
	for _, known := range suites() {
		if string(digest) == known.digest && string(signature) == known.signature {
			s.Algorithm = known.algorithm
		}
	}
	if s.Algorithm == 0 {
		return nil, formatError("a pair of digest and signature algorithm that the kernel or tbpf does not take")
	}
	var value cryptobyte.String
	if !signer.ReadASN1(&value, asn1.OCTET_STRING) {
		return nil, formatError("no signature value")
	}
	if !signer.Empty() {
		return nil, formatError("unsigned attributes")
	}
	s.Signature = bytes.Clone(value)
	return s, nil
}

// parseIdentifier reads who signed, in the form that goes with the version.
func (s *SignedData) parseIdentifier(version int64, signer *cryptobyte.String) error {
	switch version {
	case versionSubjectKeyID:
		var id cryptobyte.String
		if !signer.ReadASN1(&id, asn1.Tag(0).ContextSpecific()) || id.Empty() {
			return formatError("version 3 without a subject key identifier")
		}
		s.SubjectKeyID = bytes.Clone(id)
	case versionIssuerSerial:
		var id, issuer cryptobyte.String
		s.Serial = new(big.Int)
		if !signer.ReadASN1(&id, asn1.SEQUENCE) || !id.ReadASN1Element(&issuer, asn1.SEQUENCE) ||
			!id.ReadASN1Integer(s.Serial) || !id.Empty() {
			return formatError("version 1 without issuer and serial number")
		}
		s.Issuer = bytes.Clone(issuer)
	default:
		return formatError("an unknown version")
	}
	return nil
}
