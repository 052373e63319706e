package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// payloadType is what a manifest is signed as.
const payloadType = "application/vnd.in-toto+json"

// Pin is who may sign: a certificate's subject alternative name, and who
// identified it.
type Pin struct {
	Identity string // that ends in *: all that begin so
	Issuer   string
}

// Found is who signed what, and when.
type Found struct {
	Identity  string    `json:"identity"`
	Issuer    string    `json:"issuer"`
	Statement string    `json:"statement"` // sha256 of what was signed, hex
	Time      time.Time `json:"time"`      // that the transparency log attests to
}

// Check verifies a bundle of a manifest with nothing but the trusted root: at
// least one transparency log must have the signature, a time must be attested
// to, and where the root has logs of certificates, one of them must have the
// certificate. digest is the object's SHA-256 in hex.
func Check(signed, trustedRoot []byte, digest string, pinned []Pin) (*Found, error) {
	if len(pinned) == 0 {
		return nil, errors.New("no identity is pinned")
	}
	material, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, fmt.Errorf("read trusted root: %w", err)
	}
	b := new(bundle.Bundle)
	if err := b.UnmarshalJSON(signed); err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	return check(b, material, digest, pinned)
}

func check(entity verify.SignedEntity, material root.TrustedMaterial, digest string, pinned []Pin) (*Found, error) {
	raw, err := hex.DecodeString(digest)
	if err != nil || len(raw) != sha256.Size {
		return nil, fmt.Errorf("%q is no SHA-256", digest)
	}
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	if len(material.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	verifier, err := verify.NewVerifier(material, options...)
	if err != nil {
		return nil, err
	}
	var policies []verify.PolicyOption
	for _, p := range pinned {
		identity, err := p.certificateIdentity()
		if err != nil {
			return nil, err
		}
		policies = append(policies, verify.WithCertificateIdentity(identity))
	}
	result, err := verifier.Verify(entity, verify.NewPolicy(verify.WithArtifactDigest("sha256", raw), policies...))
	if err != nil {
		return nil, err
	}
	return found(entity, result)
}

func (p Pin) certificateIdentity() (verify.CertificateIdentity, error) {
	if p.Identity == "" || p.Identity == "*" || p.Issuer == "" {
		return verify.CertificateIdentity{}, errors.New("a pinned identity or issuer is empty, or stands for everybody")
	}
	if head, ok := strings.CutSuffix(p.Identity, "*"); ok {
		return verify.NewShortCertificateIdentity(p.Issuer, "", "", "^"+regexp.QuoteMeta(head)+".*$")
	}
	return verify.NewShortCertificateIdentity(p.Issuer, "", p.Identity, "")
}

// found takes out of a verified bundle what tbpf compares with the file.
func found(entity verify.SignedEntity, result *verify.VerificationResult) (*Found, error) {
	content, err := entity.SignatureContent()
	if err != nil {
		return nil, err
	}
	envelope := content.EnvelopeContent()
	if envelope == nil {
		return nil, errors.New("the bundle is of a file and not of a manifest: it was made with sign-blob; use `cosign attest-blob --statement`")
	}
	raw := envelope.RawEnvelope()
	if raw.PayloadType != payloadType {
		return nil, fmt.Errorf("the bundle is of a %q", raw.PayloadType)
	}
	payload, err := raw.DecodeB64Payload()
	if err != nil {
		return nil, err
	}
	if result.Signature == nil || result.Signature.Certificate == nil || len(result.VerifiedTimestamps) == 0 {
		return nil, errors.New("the bundle has no certificate or no time")
	}
	cert := result.Signature.Certificate
	sum := sha256.Sum256(payload)
	return &Found{
		Identity: cert.SubjectAlternativeName, Issuer: cert.Issuer,
		Statement: hex.EncodeToString(sum[:]), Time: result.VerifiedTimestamps[0].Timestamp.UTC(),
	}, nil
}
