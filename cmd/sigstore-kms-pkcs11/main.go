// Command sigstore-kms-pkcs11 signs with a key in an HSM or token, for tbpf and
// for whatever else speaks sigstore's protocol for KMS plugins, version 1: the
// call is a JSON document in the second argument, the answer another one at
// standard output, the message comes by standard input.
//
// The key is named by a PKCS #11 URI (RFC 7512). The PIN comes from a file
// (pin-source) or from the environment variable PKCS11_PIN, and never from an
// argument. It is the one program of tbpf that needs cgo, in a module of its
// own, so that the others stay static.
package main

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := json.NewEncoder(os.Stdout).Encode(answer(os.Args, os.Stdin)); err != nil {
		fmt.Fprintln(os.Stderr, "sigstore-kms-pkcs11:", err)
		os.Exit(1)
	}
}

// call is what the protocol asks, as far as it is used here.
type call struct {
	Init struct {
		Protocol string      `json:"protocolVersion"`
		Key      string      `json:"keyResourceID"`
		Hash     crypto.Hash `json:"hashFunc"`
	} `json:"initOptions"`
	Method string `json:"methodName"`
	Sign   *struct {
		Options struct {
			Message struct {
				Digest []byte       `json:"digest"`
				Hash   *crypto.Hash `json:"hashFunc"`
			} `json:"messageOptions"`
		} `json:"signOptions"`
	} `json:"signMessage"`
}

// result is what the protocol answers.
type result struct {
	Error      string         `json:"errorMessage,omitempty"`
	Algorithm  map[string]any `json:"defaultAlgorithm,omitempty"`
	Algorithms map[string]any `json:"supportedAlgorithms,omitempty"`
	PublicKey  *publicKey     `json:"publicKey,omitempty"`
	Sign       *signature     `json:"signMessage,omitempty"`
}

type publicKey struct {
	PEM []byte `json:"publicKeyPEM"`
}

type signature struct {
	Signature []byte `json:"signature"`
}

// maxMessage bounds what is read to be signed.
const maxMessage = 1 << 25

func answer(args []string, stdin io.Reader) result {
	r, err := do(args, stdin)
	if err != nil {
		return result{Error: err.Error()}
	}
	return r
}

func do(args []string, stdin io.Reader) (result, error) {
	if len(args) != 3 || args[1] != "v1" {
		return result{}, errors.New("this is a plugin: tbpf sign --key 'pkcs11:token=...;object=...' runs it")
	}
	var c call
	if err := json.Unmarshal([]byte(args[2]), &c); err != nil {
		return result{}, errors.New("the call is no JSON document of the protocol")
	}
	switch c.Method {
	case "defaultAlgorithm":
		return result{Algorithm: map[string]any{"defaultAlgorithm": algorithms()[0]}}, nil
	case "supportedAlgorithms":
		return result{Algorithms: map[string]any{"supportedAlgorithms": algorithms()}}, nil
	case "publicKey", "signMessage":
	default:
		return result{}, fmt.Errorf("method %q is not one of this plugin", c.Method)
	}
	u, err := ParseURI(c.Init.Key)
	if err != nil {
		return result{}, err
	}
	if err := forbidCoreDumps(); err != nil {
		return result{}, fmt.Errorf("forbid core dumps: %w", err)
	}
	pin, err := u.pin(os.LookupEnv)
	if err != nil {
		return result{}, err
	}
	defer clear(pin)
	if lock := oneAtATime(); lock != nil {
		defer lock.Close()
	}
	key, err := open(u, pin)
	if err != nil {
		return result{}, err
	}
	defer key.close()
	if c.Method == "publicKey" {
		pem, err := key.publicPEM()
		return result{PublicKey: &publicKey{pem}}, err
	}
	hash, digest := c.Init.Hash, []byte(nil)
	if c.Sign != nil {
		digest = c.Sign.Options.Message.Digest
		if h := c.Sign.Options.Message.Hash; h != nil {
			hash = *h
		}
	}
	if digest == nil {
		message, err := io.ReadAll(io.LimitReader(stdin, maxMessage+1))
		if err != nil || len(message) > maxMessage {
			return result{}, fmt.Errorf("the message cannot be read, or is longer than %d bytes", maxMessage)
		}
		if !hash.Available() {
			return result{}, fmt.Errorf("hash function %d is not one of this plugin", hash)
		}
		w := hash.New()
		w.Write(message)
		digest = w.Sum(nil)
	}
	sig, err := key.sign(hash, digest)
	return result{Sign: &signature{sig}}, err
}

func algorithms() []string {
	return []string{"ecdsa-p256-sha256", "ecdsa-p384-sha384", "ecdsa-p521-sha512", "rsa-pkcs1v15-sha256"}
}
