package seal

import (
	"bytes"
	"encoding/binary"
)

// The footer ends every seal:
//
//	offset  size  field
//	     0     8  length of the records before it, in bytes
//	     8     4  version of the format: 1
//	    12    20  magic
const (
	footerSize    = 32
	formatVersion = 1
	magic         = "~tbpf-seal appended~"
)

// Split finds the seal at the end of a file and returns the object before it
// and the seal, which Decode takes. Both alias file. The error is ErrUnsigned
// if the file does not end as a seal does, a *MalformedError otherwise.
func Split(file []byte) (object, seal []byte, err error) {
	records, err := parseFooter(file)
	if err != nil {
		return nil, nil, err
	}
	at := len(file) - footerSize - records
	object, seal = file[:at:at], file[at:]
	if err := CheckObject(object); err != nil {
		return nil, nil, err
	}
	return object, seal, nil
}

// CheckObject returns a *MalformedError if the bytes cannot be the object of a
// seal: there are none, there are too many, or they end with a seal of their
// own, so that it would be open which of the two counts.
func CheckObject(object []byte) error {
	switch {
	case len(object) == 0:
		return malformed("there is no object before it")
	case len(object) > MaxObject:
		return malformed("the object has %d bytes, %d are allowed", len(object), MaxObject)
	case hasMagic(object):
		return malformed("the object ends with a seal of its own")
	}
	return nil
}

// Sealed reports whether a file ends as a seal does. It says nothing about
// what stands before the magic.
func Sealed(file []byte) bool { return hasMagic(file) }

// Join returns the sealed object, in memory of its own.
func Join(object, seal []byte) []byte {
	out := make([]byte, 0, len(object)+len(seal))
	return append(append(out, object...), seal...)
}

func hasMagic(file []byte) bool { return bytes.HasSuffix(file, []byte(magic)) }

// parseFooter returns the length of the records, which lie within the file.
func parseFooter(file []byte) (int, error) {
	if !hasMagic(file) {
		return 0, ErrUnsigned
	}
	if len(file) < footerSize {
		return 0, malformed("the footer is cut short")
	}
	f := file[len(file)-footerSize:]
	if v := binary.LittleEndian.Uint32(f[8:]); v != formatVersion {
		return 0, malformed("format version %d is not known, only %d", v, formatVersion)
	}
	length := binary.LittleEndian.Uint64(f)
	if length > maxSeal {
		return 0, malformed("the footer gives a length of %d bytes, %d are allowed", length, maxSeal)
	}
	if length > uint64(len(file)-footerSize) {
		return 0, malformed("the footer gives a length of %d bytes, the file has %d before it", length, len(file)-footerSize)
	}
	return int(length), nil
}

func appendFooter(b []byte, records int) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(records))
	b = binary.LittleEndian.AppendUint32(b, formatVersion)
	return append(b, magic...)
}
