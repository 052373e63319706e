package keys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// Types of PEM blocks (RFC 7468).
const (
	pemCertificate = "CERTIFICATE"
	pemPublicKey   = "PUBLIC KEY"
)

// ParseCertificate reads exactly one certificate in PEM.
func ParseCertificate(data []byte) (*x509.Certificate, error) {
	blocks, err := decodePEM(data)
	if err != nil {
		return nil, err
	}
	if len(blocks) != 1 || blocks[0].Type != pemCertificate {
		return nil, &CertificateError{Reason: CertificateMalformed, Detail: fmt.Sprintf("want one PEM block of type CERTIFICATE, found %s", describe(blocks))}
	}
	return ParseCertificateDER(blocks[0].Bytes)
}

// ParseCertificates reads one or several certificates in PEM, and nothing else.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	blocks, err := decodePEM(data)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for _, block := range blocks {
		if block.Type != pemCertificate {
			return nil, &CertificateError{Reason: CertificateMalformed, Detail: fmt.Sprintf("want PEM blocks of type CERTIFICATE, found %s", describe(blocks))}
		}
		cert, err := ParseCertificateDER(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, cert)
	}
	return out, nil
}

// ParseCertificateDER reads one certificate in DER, without trailing bytes.
// It does not say whether the certificate is of use: see CheckCertificate. Where
// the key is one of ML-DSA, which crypto/x509 does not know, PublicKey has it all
// the same.
func ParseCertificateDER(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &CertificateError{Reason: CertificateMalformed, Detail: fmt.Sprintf("parse certificate: %v", err), Err: err}
	}
	if k := parseMLDSA(cert.RawSubjectPublicKeyInfo); k != nil {
		cert.PublicKey = k
	}
	return cert, nil
}

// ParsePublicPEM reads exactly one public key in PEM.
func ParsePublicPEM(data []byte) (crypto.PublicKey, error) {
	blocks, err := decodePEM(data)
	if err != nil {
		return nil, err
	}
	if len(blocks) != 1 || blocks[0].Type != pemPublicKey {
		return nil, &KeyError{Reason: KeyMalformed, Detail: fmt.Sprintf("want one PEM block of type PUBLIC KEY, found %s", describe(blocks))}
	}
	return ParsePublic(blocks[0].Bytes)
}

// parseTrust adds the certificates and public keys of one file to the ring.
func (r *Keyring) parseTrust(data []byte, source string) error {
	blocks, err := decodePEM(data)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		if err := r.addBlock(block, source); err != nil {
			return err
		}
	}
	return nil
}

func (r *Keyring) addBlock(block *pem.Block, source string) error {
	switch block.Type {
	case pemCertificate:
		cert, err := ParseCertificateDER(block.Bytes)
		if err != nil {
			return err
		}
		if IsCA(cert) {
			if err := checkCertificateKey(cert); err != nil {
				return err
			}
			r.addCA(cert)
			return nil
		}
		key, err := TrustCertificate(cert, source)
		if err != nil {
			return err
		}
		r.add(key)
		return nil
	case pemPublicKey:
		pub, err := ParsePublic(block.Bytes)
		if err != nil {
			return err
		}
		key, err := TrustKey(pub, source)
		if err != nil {
			return err
		}
		r.add(key)
		return nil
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return fmt.Errorf("holds a private key: a keyring has certificates and public keys only")
	}
	return fmt.Errorf("holds a PEM block of type %q: a keyring has certificates and public keys only", block.Type)
}

// decodePEM returns all PEM blocks of a file. encoding/pem steps over what it
// cannot read; here a damaged block is an error, for it may be the key that
// someone believes to be there.
func decodePEM(data []byte) ([]*pem.Block, error) {
	const begin = "-----BEGIN"
	var blocks []*pem.Block
	for rest := data; ; {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		if len(block.Headers) != 0 {
			return nil, fmt.Errorf("has a PEM block with headers, which tbpf does not take")
		}
		blocks, rest = append(blocks, block), after
	}
	switch found := bytes.Count(data, []byte(begin)); {
	case found != len(blocks):
		return nil, fmt.Errorf("has a damaged PEM block: %d begin, %d can be read", found, len(blocks))
	case found == 0 && len(data) > 0 && data[0] == 0x30:
		return nil, fmt.Errorf("is not PEM; it looks like DER, which 'openssl x509 -inform DER' turns into PEM")
	case found == 0:
		return nil, fmt.Errorf("has no PEM block")
	}
	return blocks, nil
}

func describe(blocks []*pem.Block) string {
	types := make([]string, len(blocks))
	for i, block := range blocks {
		types[i] = fmt.Sprintf("%q", block.Type)
	}
	return strings.Join(types, ", ")
}
