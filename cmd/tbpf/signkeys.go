package main

import (
	"crypto/x509"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/signer"
)

// maxCertificate bounds a certificate in PEM.
const maxCertificate = 64 << 10

// certificate reads a certificate that is about to sign: it must be one of a
// signer, and valid.
func (a *app) certificate(path string) (*x509.Certificate, error) {
	data, err := a.readInput(path, maxCertificate)
	if err != nil {
		return nil, err
	}
	cert, err := keys.ParseCertificate(data)
	if err != nil {
		return nil, forFile(path, err)
	}
	return cert, forFile(path, withHint(keys.CheckCertificate(cert, a.now()), "`tbpf keygen --from KEY --name N` makes a certificate for the key that fits"))
}

// open opens a private key and checks that the certificate is its.
func (s *signing) open(ref, certFile string, cert *x509.Certificate) (*signer.Signer, error) {
	key, err := signer.Open(ref, signer.Options{Password: s.passwords.get})
	if err != nil {
		return nil, err
	}
	if err := keys.CertificateOf(cert, key.Public()); err != nil {
		key.Close()
		return nil, forFile(certFile, err)
	}
	if _, ok := key.Public().(*keys.MLDSAPublicKey); ok {
		s.app.notice("ML-DSA is experimental, and tbpf-loader, which cannot check it, takes no file that has it")
	}
	return key, nil
}

// chainFlags add what a certificate by a CA needs.
func (s *signing) chainFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.chain, "chain", "", "embed the CAs between the certificate and the one that machines trust, in `FILE`,\nthe signer's first")
	cmd.Flags().BoolVar(&s.options.KernelChain, "kernel-chain", false, "have the kernel signatures carry the certificate and those of --chain")
}

// readChain reads the CAs of --chain.
func (s *signing) readChain() error {
	if s.chain == "" {
		return nil
	}
	data, err := s.app.readInput(s.chain, maxCertificate)
	if err != nil {
		return err
	}
	s.options.Intermediates, err = keys.ParseCertificates(data)
	return forFile(s.chain, err)
}
