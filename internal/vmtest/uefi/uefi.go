// Package uefi puts certificates into the db variable of a virtual machine's
// UEFI firmware: the kernel that boots there has them in its platform keyring.
//
// It writes what a machine's owner enrols in the firmware's setup, into the file
// in which OVMF keeps its variables, and needs a file without any variables, as
// OVMF comes. vmtest imports it. It imports nothing of tbpf.
package uefi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"
)

// guid is an EFI_GUID as it lies in memory.
type guid [16]byte

var (
	// EFI_SYSTEM_NV_DATA_FV_GUID: the volume holds variables.
	volumeGUID = guid{0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50}
	// EFI_AUTHENTICATED_VARIABLE_GUID: with a timestamp each.
	storeGUID = guid{0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92}
	// EFI_IMAGE_SECURITY_DATABASE_GUID: whose variable db is.
	databaseGUID = guid{0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f}
	// EFI_CERT_X509_GUID: a list of certificates.
	x509GUID = guid{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72}
	// Who put them there: any number will do, this one is ours.
	ownerGUID = guid{'t', 'b', 'p', 'f', ' ', 'v', 'm', 't', 'e', 's', 't', ' ', 'd', 'b', 0, 0}
)

// Places in the file: a firmware volume (PI specification 1.7, volume 3,
// section 3.2.1) and in it a variable store (edk2, VariableFormat.h).
const (
	volumeGUIDAt   = 16
	volumeHeaderAt = 48 // length of the volume's header, u16
	storeSizeAt    = 16 // in the store's header
	storeHeader    = 28
	variableStart  = 0x55aa
	variableAdded  = 0x3f
	// Kept, seen at boot and at run time, replaced only with a newer timestamp.
	attributes = 0x1 | 0x2 | 0x4 | 0x20
)

// Enroll returns the variables with a db of these certificates (DER).
func Enroll(variables []byte, certificates ...[]byte) ([]byte, error) {
	out := bytes.Clone(variables)
	store, err := emptyStore(out)
	if err != nil {
		return nil, err
	}
	variable := database(certificates)
	if len(variable) > len(store) {
		return nil, fmt.Errorf("%d bytes of certificates and room for %d", len(variable), len(store))
	}
	copy(store, variable)
	return out, nil
}

// emptyStore finds the place of the first variable.
func emptyStore(file []byte) ([]byte, error) {
	if len(file) < volumeHeaderAt+2 || !bytes.Equal(file[volumeGUIDAt:volumeGUIDAt+16], volumeGUID[:]) {
		return nil, errors.New("not a file of UEFI variables")
	}
	at := int(binary.LittleEndian.Uint16(file[volumeHeaderAt:]))
	if len(file) < at+storeHeader || !bytes.Equal(file[at:at+16], storeGUID[:]) {
		return nil, errors.New("UEFI variables without timestamps")
	}
	size := int(binary.LittleEndian.Uint32(file[at+storeSizeAt:]))
	if size < storeHeader || size > len(file)-at {
		return nil, errors.New("UEFI variables that reach beyond the file")
	}
	store := file[at+storeHeader : at+size]
	if len(store) < 2 || store[0] != 0xff || store[1] != 0xff {
		return nil, errors.New("there are UEFI variables already")
	}
	return store, nil
}

// database is the variable db, with its header.
func database(certificates [][]byte) []byte {
	var data []byte
	for _, der := range certificates {
		// One EFI_SIGNATURE_LIST each: entries of a list have one size.
		entry := len(ownerGUID) + len(der)
		data = append(data, x509GUID[:]...)
		data = binary.LittleEndian.AppendUint32(data, uint32(28+entry))
		data = binary.LittleEndian.AppendUint32(data, 0) // no header
		data = binary.LittleEndian.AppendUint32(data, uint32(entry))
		data = append(data, ownerGUID[:]...)
		data = append(data, der...)
	}
	var name []byte
	for _, c := range utf16.Encode([]rune("db\x00")) {
		name = binary.LittleEndian.AppendUint16(name, c)
	}
	v := binary.LittleEndian.AppendUint16(nil, variableStart)
	v = append(v, variableAdded, 0)
	v = binary.LittleEndian.AppendUint32(v, attributes)
	v = binary.LittleEndian.AppendUint64(v, 0) // counter
	v = append(v, timestamp(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))...)
	v = binary.LittleEndian.AppendUint32(v, 0) // no public key
	v = binary.LittleEndian.AppendUint32(v, uint32(len(name)))
	v = binary.LittleEndian.AppendUint32(v, uint32(len(data)))
	v = append(v, databaseGUID[:]...)
	v = append(v, name...)
	v = append(v, data...)
	for len(v)%4 != 0 {
		v = append(v, 0xff)
	}
	return v
}

// timestamp is an EFI_TIME.
func timestamp(t time.Time) []byte {
	b := make([]byte, 16)
	binary.LittleEndian.PutUint16(b, uint16(t.Year()))
	b[2], b[3], b[4], b[5], b[6] = byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second())
	return b
}
