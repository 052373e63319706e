// Package dsse is the Dead Simple Signing Envelope, version 1: the bytes that
// a signature of a manifest covers, and the JSON envelope that cosign and
// other tools read.
//
// A seal holds no envelope; it holds what one is made of. PAE puts the type
// and both lengths before the payload, so that no signature of a manifest is
// one of anything else: not of a raw file, a kernel module or a BPF program.
//
// sign, verify and the command line import it. It imports strictjson and
// nothing else of tbpf.
package dsse

import "strconv"

// PAE returns the pre-authentication encoding of a payload: the message that
// is signed (DSSE protocol.md, "Signature Definition").
func PAE(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len("DSSEv1")+4+2*20+len(payloadType)+len(payload))
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(b, ' ')
	b = append(b, payloadType...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	b = append(b, ' ')
	return append(b, payload...)
}
