// Package object has the gate's programs: the source and the object that
// scripts/generate-gate.sh made of it.
//
// cmd/tbpf imports it, to sign the object. The trusted loader must not: it loads
// the sealed file that the machine's own key signed.
package object

import _ "embed"

//go:embed gate.bpf.o
var object []byte

// Bytes is the object as clang wrote it.
func Bytes() []byte { return append([]byte(nil), object...) }
