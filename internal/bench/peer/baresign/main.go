// Command baresign makes one plain signature of each of the given files, all at
// once, with a private key in PKCS#8 PEM. It writes them nowhere: it is what
// the signatures alone cost in Go.
//
//	baresign KEY FILE...
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "baresign:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: baresign KEY FILE [FILE...]")
	}
	keyFile, files := args[0], args[1:]
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return errors.New("no key that signs")
	}
	var wg sync.WaitGroup
	errs := make([]error, len(files))
	for i, file := range files {
		wg.Go(func() {
			payload, err := os.ReadFile(file)
			if err == nil {
				sum := sha256.Sum256(payload)
				_, err = signer.Sign(rand.Reader, sum[:], crypto.SHA256)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
