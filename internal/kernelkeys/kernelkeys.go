// Package kernelkeys is for people: it lists the kernel's keyrings that
// signatures are checked against, and puts certificates into those that take
// some from root. What it lists was asked of the kernel just now; nothing that
// is decided rests on it.
//
// The command line imports it. It imports keys and report, and the trusted
// loader must not link it.
package kernelkeys

import (
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/trustedbpf/tbpf/keys"
)

// Ring is a keyring of the kernel's, or one that tbpf-loader made.
type Ring struct {
	Serial int
	Name   string
	Keys   []Key
	Err    error // what is in it cannot be seen
}

// Key is a key in a keyring, as the kernel describes it.
type Key struct {
	Serial      int
	Type        string
	Description string
}

// Known are the names of keyrings that this package knows, as the command line
// has them, with the kernel's names.
func Known() [][2]string {
	return [][2]string{
		{"builtin", ".builtin_trusted_keys"}, {"secondary", ".secondary_trusted_keys"}, {"machine", ".machine"}, {"platform", ".platform"},
		{"bpf", ".bpf"}, {"fs-verity", ".fs-verity"}, {"ima", ".ima"}, {"blacklist", ".blacklist"},
	}
}

// parse finds the keyrings in /proc/keys (security/keys/proc.c): root's, of
// these names, which begin with a dot so that no process can give them, and
// those that are named as tbpf-loader names its own.
func parse(text string) []Ring {
	var rings []Ring
	for line := range strings.Lines(text) {
		words := strings.Fields(line) // serial flags usage timeout permissions uid gid type description
		if len(words) < 9 || words[7] != "keyring" || words[5] != "0" {
			continue
		}
		name := strings.TrimSuffix(words[8], ":")
		serial, err := strconv.ParseUint(words[0], 16, 31)
		if err != nil || serial == 0 {
			continue
		}
		if slices.ContainsFunc(Known(), func(k [2]string) bool { return k[1] == name }) || isOwn(name) {
			rings = append(rings, Ring{Serial: int(serial), Name: name})
		}
	}
	return rings
}

// isOwn reports whether a keyring is named as tbpf-loader names the boot's.
func isOwn(name string) bool {
	digits, ok := strings.CutPrefix(name, "tbpf:")
	_, err := hex.DecodeString(digits)
	return ok && err == nil && len(digits) == 64
}

// Holds reports whether a key is that of a certificate: by the identifier that
// the kernel gives a certificate that it read itself, or by the key id that tbpf
// gives.
func (k Key) Holds(cert *x509.Certificate) bool {
	if k.Type != "asymmetric" {
		return false
	}
	if k.Description == describe(cert) {
		return true
	}
	return len(cert.SubjectKeyId) >= 8 && strings.HasSuffix(k.Description, ": "+hex.EncodeToString(cert.SubjectKeyId))
}

// describe is the description that tbpf gives a certificate's key.
func describe(cert *x509.Certificate) string {
	id, err := keys.IDOf(cert.PublicKey)
	if err != nil {
		return ""
	}
	return "tbpf:" + id.String()
}
