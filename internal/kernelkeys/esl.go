package kernelkeys

import (
	"crypto/x509"
	"encoding/binary"
)

// SignatureList is a certificate as UEFI's variables db and MokList hold it: an
// EFI_SIGNATURE_LIST with one entry (UEFI specification, section 32.4.1). The
// owner is only a label: all zeros.
func SignatureList(cert *x509.Certificate) []byte {
	const header, owner = 16 + 4 + 4 + 4, 16
	size := owner + len(cert.Raw)
	// EFI_CERT_X509_GUID a5c059a1-94e4-4aa7-87b5-ab155c2bf072
	b := []byte{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72}
	b = binary.LittleEndian.AppendUint32(b, uint32(header+size))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = append(b, make([]byte, owner)...)
	return append(b, cert.Raw...)
}
