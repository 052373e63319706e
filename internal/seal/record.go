package seal

import "encoding/binary"

// recordType says what a record holds. Records stand in the order of their
// numbers. All are critical: a verifier that does not know one cannot know
// whether its bytes matter, so there is nothing to skip.
type recordType uint32

const (
	recordStatement        recordType = 1 // once
	recordSignature        recordType = 2 // 1 to MaxSignatures, in the order of key ids
	recordCertificate      recordType = 3 // at most maxCertificates, in the order of their bytes
	recordMetadata         recordType = 4 // once
	recordLoader           recordType = 5 // one a profile, in the order of profiles
	recordCountersignature recordType = 6 // with signatures at most MaxSignatures, in the order of making
)

// repeats reports whether a seal may have several records of the type.
func (t recordType) repeats() bool { return t != recordStatement && t != recordMetadata }

func (t recordType) String() string {
	switch t {
	case recordStatement:
		return "statement"
	case recordSignature:
		return "signature"
	case recordCertificate:
		return "certificate"
	case recordMetadata:
		return "metadata"
	case recordLoader:
		return "loader"
	case recordCountersignature:
		return "countersignature"
	default:
		return "unknown"
	}
}

// recordHeader is the size of type and length, u32 each, before a record's body.
const recordHeader = 8

// nextRecord cuts the first record off b.
func nextRecord(b []byte) (t recordType, body, rest []byte, err error) {
	if len(b) < recordHeader {
		return 0, nil, nil, malformed("%d bytes where a record begins", len(b))
	}
	t = recordType(binary.LittleEndian.Uint32(b))
	n := uint64(binary.LittleEndian.Uint32(b[4:]))
	if t.String() == "unknown" {
		return 0, nil, nil, malformed("record type %d is not known", uint32(t))
	}
	if n > uint64(len(b)-recordHeader) {
		return 0, nil, nil, malformed("a %v record of %d bytes does not fit", t, n)
	}
	end := recordHeader + int(n)
	return t, b[recordHeader:end:end], b[end:], nil
}

// appendRecord frames the concatenation of parts. Their sizes are within the
// limits: check has seen them.
func appendRecord(b []byte, t recordType, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(t))
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
