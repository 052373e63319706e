// Package imasig is the signature of a file for the kernel's Integrity
// Measurement Architecture: the value of the extended attribute security.ima,
// version 2 (security/integrity/integrity.h, struct signature_v2_hdr).
//
// sign imports it. It imports keys and nothing else of tbpf.
package imasig

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/trustedbpf/tbpf/keys"
)

// Numbers of the header.
const (
	typeSignature = 0x03 // EVM_IMA_XATTR_DIGSIG
	version2      = 2
)

// Encode wraps a plain signature over a whole file by the certificate's key. The
// kernel finds the key by the last four bytes of the SubjectKeyIdentifier.
func Encode(cert *x509.Certificate, signature []byte) ([]byte, error) {
	if err := keys.KernelKey(cert.PublicKey); err != nil {
		return nil, err
	}
	alg, err := keys.AlgorithmFor(cert.PublicKey)
	if err != nil {
		return nil, err
	}
	hash, ok := map[crypto.Hash]byte{crypto.SHA256: 4, crypto.SHA384: 5, crypto.SHA512: 6}[alg.Hash()] // include/uapi/linux/hash_info.h
	if !ok {
		return nil, fmt.Errorf("IMA has no signatures with %v", alg)
	}
	id := cert.SubjectKeyId
	if len(id) < 4 {
		return nil, errors.New("the certificate has no subjectKeyIdentifier: the kernel finds signers by it")
	}
	out := append([]byte{typeSignature, version2, hash}, id[len(id)-4:]...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(signature)))
	return append(out, signature...), nil
}

// EvmctlFinds reports whether ima-evm-utils find the key, too. They do not look
// at the certificate's identifier but take the SHA-1 of the key.
func EvmctlFinds(cert *x509.Certificate) bool {
	var spki, algorithm cryptobyte.String
	var bits []byte
	in := cryptobyte.String(cert.RawSubjectPublicKeyInfo)
	if !in.ReadASN1(&spki, asn1.SEQUENCE) || !spki.ReadASN1(&algorithm, asn1.SEQUENCE) || !spki.ReadASN1BitStringAsBytes(&bits) {
		return false
	}
	id := sha1.Sum(bits)
	return bytes.HasSuffix(cert.SubjectKeyId, id[len(id)-4:])
}
