package signer

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

// Types of PEM blocks that hold private keys.
const (
	pemPKCS8          = "PRIVATE KEY"
	pemPKCS1          = "RSA PRIVATE KEY"
	pemSEC1           = "EC PRIVATE KEY"
	pemPKCS8Encrypted = "ENCRYPTED PRIVATE KEY"
	pemSigstore       = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemCosign         = "ENCRYPTED COSIGN PRIVATE KEY" // what cosign before 2.0 wrote
)

// parse reads the one private key of a PEM file. Certificates and EC
// parameters may stand beside it, as the kernel's build and openssl write them.
func parse(data []byte, source string, opt Options) (crypto.Signer, error) {
	block, err := onePrivateKey(data, source)
	if err != nil {
		return nil, err
	}
	defer clear(block.Bytes)
	der, kind := block.Bytes, block.Type
	switch kind {
	case pemPKCS8Encrypted:
		der, err = decrypt(source, opt, func(password []byte) ([]byte, error) { return decryptPBES2(block.Bytes, password) })
		kind = pemPKCS8
	case pemSigstore, pemCosign:
		der, err = decrypt(source, opt, func(password []byte) ([]byte, error) { return decryptSigstore(block, password) })
		kind = pemPKCS8
	}
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return parseDER(der, kind, source)
}

func onePrivateKey(data []byte, source string) (*pem.Block, error) {
	malformed := func(detail string) error {
		return &Error{Source: source, Reason: ReasonMalformed, Detail: detail}
	}
	var found *pem.Block
	blocks := 0
	for rest := data; ; blocks++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case pemPKCS8, pemPKCS1, pemSEC1, pemPKCS8Encrypted, pemSigstore, pemCosign:
			if found != nil {
				return nil, malformed("it holds more than one private key")
			}
			found = block
		case "CERTIFICATE", "EC PARAMETERS":
		default:
			return nil, malformed(fmt.Sprintf("it holds a PEM block of type %q", block.Type))
		}
	}
	if bytes.Count(data, []byte("-----BEGIN")) != blocks {
		return nil, malformed("it has a damaged PEM block")
	}
	if found == nil {
		return nil, malformed("it holds no private key in PEM")
	}
	if len(found.Headers) != 0 { // Proc-Type and DEK-Info: a key derived with MD5, no integrity
		return nil, &Error{Source: source, Reason: ReasonEncryption, Detail: "it is encrypted in OpenSSL's old form, or has other PEM headers", Hint: "convert it: openssl pkcs8 -topk8 -in KEY -out NEW"}
	}
	return found, nil
}

// decrypt asks for the password and wipes it after use.
func decrypt(source string, opt Options, open func(password []byte) ([]byte, error)) ([]byte, error) {
	if opt.Password == nil {
		return nil, &Error{Source: source, Reason: ReasonPasswordNeeded, Detail: "it is encrypted, and there is no password"}
	}
	password, err := opt.Password("password for " + source)
	if err != nil {
		return nil, &Error{Source: source, Reason: ReasonPasswordNeeded, Detail: fmt.Sprintf("it is encrypted, and no password could be had: %v", err), Err: err}
	}
	defer clear(password)
	der, err := open(password)
	if err != nil {
		var own *Error
		if e, ok := err.(*Error); ok {
			own = e
		} else {
			own = &Error{Reason: ReasonPasswordWrong, Detail: "it cannot be decrypted: wrong password, or damaged"}
		}
		own.Source = source
		return nil, own
	}
	return der, nil
}

// decryptSigstore opens what cosign and tbpf write: scrypt and NaCl's
// secretbox in JSON, whose parameters the library bounds. The key comes back as
// PKCS#8, which is what was encrypted.
func decryptSigstore(block *pem.Block, password []byte) ([]byte, error) {
	return encrypted.Decrypt(block.Bytes, password)
}

// parseDER reads a plain key. The standard library's errors are not passed on:
// they were not written with secrets in mind.
func parseDER(der []byte, kind, source string) (crypto.Signer, error) {
	var key any
	var err error
	switch kind {
	case pemPKCS8:
		if alg := mldsaOf(der); alg != 0 {
			return parseMLDSA(der, alg, source)
		}
		key, err = x509.ParsePKCS8PrivateKey(der)
	case pemPKCS1:
		key, err = x509.ParsePKCS1PrivateKey(der)
	case pemSEC1:
		key, err = x509.ParseECPrivateKey(der)
	}
	if err != nil {
		return nil, &Error{Source: source, Reason: ReasonMalformed, Detail: "it is no private key of a kind that tbpf knows"}
	}
	s, ok := key.(crypto.Signer)
	if !ok { // X25519
		return nil, &Error{Source: source, Reason: ReasonUnsupported, Detail: "its key cannot sign"}
	}
	return s, nil
}
