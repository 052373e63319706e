package cms

import (
	"github.com/trustedbpf/tbpf/keys"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// suite is a pair of algorithms that SignerInfo may name. The parameters of
// digests and of ECDSA are absent (RFC 5754 sections 2 and 3.3), as are those of
// ML-DSA (RFC 9882 section 3.4); those of RSA are NULL (RFC 5754 section 3.2).
type suite struct {
	algorithm keys.Algorithm
	digest    string // the OBJECT IDENTIFIERs' contents in DER
	signature string
}

func (s suite) null() bool { return s.algorithm == keys.RSAPKCS1v15SHA256 }

// suites lists all of them. For RSA the kernel wants the key's algorithm and
// not a combination with the digest: pkcs7_sig_note_pkey_algo
// (crypto/asymmetric_keys/pkcs7_parser.c) gives ENOPKG for any other. ML-DSA
// without signed attributes is over the payload itself, in the kernel (from 7.0
// on, pkcs7_check_authattrs and pkcs7_digest) as in RFC 9882 section 3.3, which
// has SHA-512 named as the digest all the same; the kernel wants one that it knows.
func suites() []suite {
	const (
		sha       = "\x60\x86\x48\x01\x65\x03\x04\x02"     // 2.16.840.1.101.3.4.2
		rsa       = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1
		ecdsaWith = "\x2a\x86\x48\xce\x3d\x04\x03"         // 1.2.840.10045.4.3
		mldsa     = "\x60\x86\x48\x01\x65\x03\x04\x03"     // 2.16.840.1.101.3.4.3
	)
	return []suite{
		{keys.RSAPKCS1v15SHA256, sha + "\x01", rsa},
		{keys.ECDSAP256SHA256, sha + "\x01", ecdsaWith + "\x02"},
		{keys.ECDSAP384SHA384, sha + "\x02", ecdsaWith + "\x03"},
		{keys.ECDSAP521SHA512, sha + "\x03", ecdsaWith + "\x04"},
		{keys.MLDSA65, sha + "\x03", mldsa + "\x12"},
		{keys.MLDSA87, sha + "\x03", mldsa + "\x13"},
	}
}

// The types of content, 1.2.840.113549.1.7.2 and .1.
const (
	idSignedData = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
	idData       = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
)

func addOID(b *cryptobyte.Builder, oid string) {
	b.AddASN1(casn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
}

// addAlgorithm writes an AlgorithmIdentifier.
func addAlgorithm(b *cryptobyte.Builder, oid string, null bool) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oid)
		if null {
			b.AddASN1NULL()
		}
	})
}

// readAlgorithm reads an AlgorithmIdentifier and leaves its parameters alone.
func readAlgorithm(in *cryptobyte.String) (oid cryptobyte.String, ok bool) {
	var seq cryptobyte.String
	ok = in.ReadASN1(&seq, casn1.SEQUENCE) && seq.ReadASN1(&oid, casn1.OBJECT_IDENTIFIER)
	return oid, ok
}

// readOID reads an object identifier and reports whether it is want.
func readOID(in *cryptobyte.String, want string) bool {
	var oid cryptobyte.String
	return in.ReadASN1(&oid, casn1.OBJECT_IDENTIFIER) && string(oid) == want
}
