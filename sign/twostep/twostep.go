// Package twostep signs in two steps, with keys that this machine cannot
// reach: Prepare writes a directory with everything that has to be signed,
// somebody signs it wherever the key is, with any tool, and Complete makes the
// seal of the object and of these signatures.
//
// It guarantees that nothing in the directory but the object, the statement's
// values, the certificates and the signatures is believed: the loader programs
// and everything else that is signed are made again from them, and a signature
// of anything else is refused.
//
// The command line imports it. verify and loader must not.
package twostep

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/internal/wholefile"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/sign"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// The files of a directory. Of each message NAME there are NAME.payload, which
// is signed, NAME.digest, for tools that take the digest, and, once somebody
// signed, NAME.sig.
const (
	fileObject      = "object"
	fileStatement   = "statement.json"
	fileCertificate = "certificate.pem"
	fileKernel      = "kernel-certificate.pem"
	fileChain       = "chain.pem"
	fileToSign      = "tosign.json"
)

// ToSign is tosign.json: what has to be signed, for programs.
type ToSign struct {
	SchemaVersion int    `json:"schemaVersion"`
	Object        string `json:"object"` // its file name
	Messages      []Item `json:"messages"`
}

// Item is one message.
type Item struct {
	Name            string `json:"name"`                      // "statement", or a profile
	Payload         string `json:"payload"`                   // file of what is signed
	DigestFile      string `json:"digestFile,omitempty"`      // file of its digest; none where the algorithm takes the message itself
	DigestAlgorithm string `json:"digestAlgorithm,omitempty"` // "sha256", ...
	Digest          string `json:"digest,omitempty"`          // hex
	Algorithm       string `json:"algorithm"`
	KeyID           string `json:"keyId"`
	Signature       string `json:"signature"` // file that the signature goes to
}

// Prepare writes dir, which must not exist. Of the options' signers only the
// public keys count: signer.External makes such.
func Prepare(dir string, object []byte, opt sign.Options) (*ToSign, *manifest.Manifest, error) {
	list, m, err := sign.Messages(object, opt)
	if err != nil {
		return nil, nil, err
	}
	statement, err := manifest.Encode(m)
	if err != nil {
		return nil, nil, err
	}
	files := map[string][]byte{fileObject: object, fileStatement: statement, fileCertificate: pemOf(opt.Certificate)}
	if opt.KernelCertificate != nil {
		files[fileKernel] = pemOf(opt.KernelCertificate)
	}
	if len(opt.Intermediates) > 0 {
		files[fileChain] = pemOf(opt.Intermediates...)
	}
	todo := &ToSign{SchemaVersion: 1, Object: m.Object.Name}
	for i := range list {
		message := &list[i]
		item := Item{Name: message.Name, Payload: message.Name + ".payload", Signature: message.Name + ".sig",
			Algorithm: message.Signer.Algorithm().String(), KeyID: message.Signer.ID().String()}
		files[item.Payload] = message.Content
		if hash := message.Signer.Algorithm().Hash(); hash != 0 {
			item.DigestFile, item.DigestAlgorithm = message.Name+".digest", fmt.Sprintf("sha%d", hash.Size()*8)
			item.Digest = hex.EncodeToString(message.Digest())
			files[item.DigestFile] = message.Digest()
		}
		todo.Messages = append(todo.Messages, item)
	}
	description, err := json.MarshalIndent(todo, "", "  ")
	if err != nil {
		return nil, nil, err
	}
	files[fileToSign] = append(description, '\n')
	return todo, m, write(dir, files)
}

// write makes the directory, all of it or nothing.
func write(dir string, files map[string][]byte) (err error) {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	for name, data := range files {
		if err := wholefile.Write(filepath.Join(dir, name), data, 0o666, false); err != nil {
			return err
		}
	}
	return nil
}

// Complete reads dir and returns the object and its seal.
func Complete(dir string) (object []byte, s *seal.Seal, m *manifest.Manifest, err error) {
	if object, err = read(dir, fileObject, seal.MaxObject); err != nil {
		return nil, nil, nil, err
	}
	opt, err := options(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	list, _, err := sign.Messages(object, *opt)
	if err != nil {
		return nil, nil, nil, err
	}
	signatures := make(map[string][]byte)
	for i := range list {
		sig, err := read(dir, list[i].Name+".sig", seal.MaxSignature)
		if err != nil {
			return nil, nil, nil, err
		}
		signatures[list[i].Name] = sig
	}
	s, m, err = sign.Complete(object, *opt, signatures)
	return object, s, m, err
}

// options are those that Prepare had, as far as they change what is signed.
func options(dir string) (*sign.Options, error) {
	data, err := read(dir, fileStatement, manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, fileStatement), err)
	}
	opt := &sign.Options{ObjectName: m.Object.Name, Name: m.Name, Version: m.Version, Created: m.Created, NotAfter: m.NotAfter,
		Annotations: m.Annotations, Skeleton: skeleton.OptionsOf(m)}
	for _, p := range m.Profiles {
		profile, err := bpfabi.ParseProfile(p.Name)
		if err != nil {
			return nil, err
		}
		opt.Profiles = append(opt.Profiles, profile)
	}
	if opt.Certificate, opt.Signer, err = certificate(dir, fileCertificate); err != nil {
		return nil, err
	}
	if opt.Certificate == nil {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(dir, fileCertificate), Err: fs.ErrNotExist}
	}
	if opt.KernelCertificate, opt.KernelSigner, err = certificate(dir, fileKernel); err != nil {
		return nil, err
	}
	chain, err := read(dir, fileChain, seal.MaxCertificate*keys.MaxIntermediates*2)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if opt.Intermediates, err = keys.ParseCertificates(chain); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, fileChain), err)
		}
	}
	opt.KernelChain = m.KernelSigner != nil && len(m.KernelSigner.Chain) > 0
	return opt, nil
}

// certificate reads a certificate and makes a signer of its key; nil without an
// error if there is no such file.
func certificate(dir, name string) (*x509.Certificate, *signer.Signer, error) {
	data, err := read(dir, name, seal.MaxCertificate*2)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	cert, err := keys.ParseCertificate(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	s, err := signer.External(cert.PublicKey, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return cert, s, nil
}

func read(dir, name string, limit int64) ([]byte, error) {
	return wholefile.Read(filepath.Join(dir, name), limit)
}

func pemOf(list ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, cert := range list {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return b.Bytes()
}
