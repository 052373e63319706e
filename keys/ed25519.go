package keys

import (
	"crypto/ed25519"
	"encoding/hex"
)

// smallOrderY are the y coordinates, little endian and without the sign bit of
// x, of the eight points whose order divides 8 (RFC 8032 section 5.1): 0, 1,
// p-1 and the two of order 8. Under such a key a signature of one message fits
// others as well.
func smallOrderY() []string {
	return []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	}
}

// checkEd25519 refuses keys of small order and second encodings of a point:
// crypto/ed25519 takes both.
func checkEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return &KeyError{Reason: KeyMalformed, Detail: "an Ed25519 key has 32 bytes"}
	}
	y := make([]byte, len(k))
	copy(y, k)
	y[31] &= 0x7f
	if !belowFieldPrime(y) {
		return &KeyError{Reason: KeyMalformed, Detail: "the Ed25519 key is not in its one encoding"}
	}
	for _, small := range smallOrderY() {
		if hex.EncodeToString(y) == small {
			return &KeyError{Reason: KeyWeak, Detail: "the Ed25519 key is a point of small order"}
		}
	}
	return nil
}

// belowFieldPrime reports whether y, little endian with its top bit clear, is
// under 2^255-19.
func belowFieldPrime(y []byte) bool {
	if y[31] != 0x7f || y[0] < 0xed {
		return true
	}
	for _, b := range y[1:31] {
		if b != 0xff {
			return true
		}
	}
	return false
}
