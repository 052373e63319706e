//go:build !linux

package kernelkeys

import (
	"crypto/x509"
	"errors"
)

// List lists the keyrings of this machine.
func List() ([]Ring, error) { return nil, errors.ErrUnsupported }

// Enroll puts a certificate into a keyring.
func Enroll(int, *x509.Certificate) error { return errors.ErrUnsupported }
