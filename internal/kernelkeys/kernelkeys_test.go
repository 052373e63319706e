package kernelkeys

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"strings"
	"testing"
)

func TestOnlyRootsKeyringsOfTheseNames(t *testing.T) {
	own := "tbpf:" + strings.Repeat("ab", 32)
	text := "0000002a I------     1 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: 1\n" +
		"0000002b I------     1 perm 1f0b0000     0     0 keyring   .fs-verity: empty\n" +
		"0000002c I------     1 perm 1f0b0000  1000     0 keyring   .platform: empty\n" + // a user's
		"0000002d I------     1 perm 1f0b0000     0     0 asymmetri .bpf: X509\n" +
		"0000002e I--Q---     1 perm 08030000     0     0 keyring   " + own + ": 2\n" +
		"0000002f I--Q---     1 perm 08030000     0     0 keyring   tbpf:00: 2\n" +
		"zz I------     1 perm 1f0b0000     0     0 keyring   .ima: empty\n\n"
	var got []string
	for _, r := range parse(text) {
		got = append(got, r.Name)
	}
	if want := ".builtin_trusted_keys .fs-verity " + own; strings.Join(got, " ") != want {
		t.Errorf("%q", got)
	}
}

func TestSignatureList(t *testing.T) {
	b := SignatureList(&x509.Certificate{Raw: []byte("certificate")})
	if len(b) != 28+16+11 || binary.LittleEndian.Uint32(b[16:]) != uint32(len(b)) || binary.LittleEndian.Uint32(b[24:]) != 27 || !bytes.HasSuffix(b, []byte("\x00certificate")) {
		t.Errorf("% x", b)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0000002a I------     1 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range parse(text) {
			if r.Serial <= 0 {
				t.Errorf("serial %d", r.Serial)
			}
		}
	})
}
