package signer

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/scrypt"
)

// Bounds of key derivation: a damaged file must not hang or exhaust the
// machine. openssl's defaults are 2048 rounds, and N=16384, r=8, p=1.
const (
	maxPBKDF2Rounds = 10_000_000
	maxScryptMemory = 256 << 20 // bytes, 128*N*r
	maxScryptP      = 16
)

// errDecrypt is turned by its caller into ReasonPasswordWrong: the form has no
// integrity check, so a wrong password and damage look the same.
var errDecrypt = errors.New("cannot decrypt")

// decryptPBES2 opens an EncryptedPrivateKeyInfo (RFC 5958 section 3, RFC 8018
// section 6.2), as openssl writes it: PBKDF2 or scrypt (RFC 7914 section 7),
// and AES in CBC mode. The result is PKCS#8 in DER.
func decryptPBES2(der, password []byte) ([]byte, error) {
	var info, algorithm, params, kdf, scheme, ciphertext, iv cryptobyte.String
	var kind, cipherOID asn1.ObjectIdentifier
	in := cryptobyte.String(der)
	if !in.ReadASN1(&info, casn1.SEQUENCE) || !in.Empty() ||
		!info.ReadASN1(&algorithm, casn1.SEQUENCE) || !info.ReadASN1(&ciphertext, casn1.OCTET_STRING) || !info.Empty() ||
		!algorithm.ReadASN1ObjectIdentifier(&kind) {
		return nil, &Error{Reason: ReasonMalformed, Detail: "it is no encrypted PKCS#8"}
	}
	if !kind.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}) ||
		!algorithm.ReadASN1(&params, casn1.SEQUENCE) || !algorithm.Empty() ||
		!params.ReadASN1(&kdf, casn1.SEQUENCE) || !params.ReadASN1(&scheme, casn1.SEQUENCE) || !params.Empty() ||
		!scheme.ReadASN1ObjectIdentifier(&cipherOID) || !scheme.ReadASN1(&iv, casn1.OCTET_STRING) || !scheme.Empty() {
		return nil, unknownEncryption()
	}
	size, ok := aesKeySize(cipherOID)
	if !ok || len(iv) != aes.BlockSize || len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, unknownEncryption()
	}
	key, err := deriveKey(kdf, password, size)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		clear(plain)
		return nil, errDecrypt
	}
	plain = plain[:len(plain)-pad]
	// One wrong password in 256 passes the padding: what comes out of it is
	// not PKCS#8.
	var inner cryptobyte.String
	if out := cryptobyte.String(plain); !out.ReadASN1(&inner, casn1.SEQUENCE) || !out.Empty() {
		clear(plain)
		return nil, errDecrypt
	}
	return plain, nil
}

func unknownEncryption() error {
	return &Error{Reason: ReasonEncryption, Detail: "it is encrypted with something other than PBES2 with PBKDF2 or scrypt and AES-CBC", Hint: "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW"}
}

func aesKeySize(oid asn1.ObjectIdentifier) (bytes int, ok bool) {
	for last, size := range map[int]int{2: 16, 22: 24, 42: 32} {
		if oid.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, last}) {
			return size, true
		}
	}
	return 0, false
}

// deriveKey reads the AlgorithmIdentifier of a key derivation and runs it.
func deriveKey(kdf cryptobyte.String, password []byte, size int) ([]byte, error) {
	var oid asn1.ObjectIdentifier
	var params cryptobyte.String
	if !kdf.ReadASN1ObjectIdentifier(&oid) || !kdf.ReadASN1(&params, casn1.SEQUENCE) || !kdf.Empty() {
		return nil, unknownEncryption()
	}
	switch {
	case oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}):
		return derivePBKDF2(params, password, size)
	case oid.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}):
		return deriveScrypt(params, password, size)
	}
	return nil, unknownEncryption()
}

func derivePBKDF2(params cryptobyte.String, password []byte, size int) ([]byte, error) {
	var salt, prf cryptobyte.String
	var rounds int
	newHash := sha1.New // the default of RFC 8018; HMAC with SHA-1 is sound
	if !params.ReadASN1(&salt, casn1.OCTET_STRING) || !params.ReadASN1Integer(&rounds) || !readKeySize(&params, size) {
		return nil, unknownEncryption()
	}
	if !params.Empty() {
		var oid asn1.ObjectIdentifier
		if !params.ReadASN1(&prf, casn1.SEQUENCE) || !params.Empty() || !prf.ReadASN1ObjectIdentifier(&oid) {
			return nil, unknownEncryption()
		}
		if newHash = hmacHash(oid); newHash == nil {
			return nil, unknownEncryption()
		}
	}
	if rounds < 1 || rounds > maxPBKDF2Rounds {
		return nil, unknownEncryption()
	}
	return pbkdf2.Key(newHash, string(password), salt, rounds, size)
}

// hmacHash returns the digest of an HMAC (RFC 8018 appendix B.1), or nil.
func hmacHash(oid asn1.ObjectIdentifier) func() hash.Hash {
	hashes := map[int]func() hash.Hash{7: sha1.New, 9: sha256.New, 10: sha512.New384, 11: sha512.New}
	for last, newHash := range hashes {
		if oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 2, last}) {
			return newHash
		}
	}
	return nil
}

func deriveScrypt(params cryptobyte.String, password []byte, size int) ([]byte, error) {
	var salt cryptobyte.String
	var n, r, p int
	if !params.ReadASN1(&salt, casn1.OCTET_STRING) || !params.ReadASN1Integer(&n) || !params.ReadASN1Integer(&r) ||
		!params.ReadASN1Integer(&p) || !readKeySize(&params, size) || !params.Empty() {
		return nil, unknownEncryption()
	}
	if n < 2 || r < 1 || p < 1 || p > maxScryptP || n > maxScryptMemory/128 || r > maxScryptMemory/128/n {
		return nil, unknownEncryption()
	}
	key, err := scrypt.Key(password, salt, n, r, p, size)
	if err != nil { // N is no power of two
		return nil, unknownEncryption()
	}
	return key, nil
}

// readKeySize reads the optional key length, which must be the cipher's.
func readKeySize(params *cryptobyte.String, size int) bool {
	if !params.PeekASN1Tag(casn1.INTEGER) {
		return true
	}
	var have int
	return params.ReadASN1Integer(&have) && have == size
}
