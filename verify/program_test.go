package verify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/program"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// A16: a right signature by a trusted key over anything but a program's
// statement in its one encoding is no statement about a program; and right ones
// of another file, name or version are none about this one.
func TestOnlyItsOwnStatementIsAPrograms(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := keys.TrustKey(key.Public(), "test")
	if err != nil {
		t.Fatal(err)
	}
	file := []byte("a program")
	s, err := program.Describe("tbpf-loader", file, 3, time.Unix(1_790_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	signed := func(payloadType, payload string, message []byte) []byte {
		digest := sha256.Sum256(message)
		value, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err == nil {
			value, err = keys.NormalizeECDSA(value, key.Curve)
		}
		if err != nil {
			t.Fatal(err)
		}
		e := &dsse.Envelope{PayloadType: payloadType, Payload: []byte(payload), Signatures: []dsse.Signature{{KeyID: trusted.ID.String(), Value: value}}}
		data, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	right := func(payload string) []byte {
		return signed(manifest.PayloadType, payload, dsse.PAE(manifest.PayloadType, []byte(payload)))
	}
	opt := verify.Options{Keyring: keys.NewKeyring(trusted)}
	v, err := verify.File(file, right(string(payload)), opt)
	if err != nil || v.Statement() != *s || len(v.Signers()) != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	text := string(payload)
	other := "application/vnd.trustedbpf.revocations+json"
	for what, c := range map[string]struct {
		envelope []byte
		reason   verify.Reason
	}{
		"an object's predicate":     {right(strings.Replace(text, program.PredicateType, manifest.PredicateType, 1)), verify.MalformedStatement},
		"another payload type":      {signed(other, text, dsse.PAE(other, payload)), verify.MalformedStatement},
		"a signature without PAE":   {signed(manifest.PayloadType, text, payload), verify.WrongSignature},
		"a signature of other type": {signed(manifest.PayloadType, text, dsse.PAE(other, payload)), verify.WrongSignature},
		"another spelling":          {right(" " + text), verify.MalformedStatement},
		"an unknown field":          {right(strings.Replace(text, `"size"`, `"x":1,"size"`, 1)), verify.MalformedStatement},
		"another file":              {right(strings.Replace(text, s.SHA256, strings.Repeat("0", 64), 1)), verify.FileMismatch},
		"another fs-verity digest":  {right(strings.Replace(text, s.FSVerity, strings.Repeat("0", 64), 1)), verify.FileMismatch},
		"another size":              {right(strings.Replace(text, `"size":9`, `"size":8`, 1)), verify.FileMismatch},
		"a name with a directory":   {right(strings.Replace(text, "tbpf-loader", "../loader", 1)), verify.MalformedStatement},
		"no JSON":                   {right("x"), verify.MalformedStatement},
		"no envelope":               {payload, verify.MalformedStatement},
		"nothing":                   {nil, verify.MalformedStatement},
	} {
		var e *verify.Error
		if v, err := verify.File(file, c.envelope, opt); v != nil || !errors.As(err, &e) || e.Reason != c.reason {
			t.Errorf("%s: %v, %v", what, v, err)
		}
	}
	for what, c := range map[string]struct {
		file   []byte
		opt    verify.Options
		reason verify.Reason
	}{
		"another byte":   {[]byte("A program"), opt, verify.FileMismatch},
		"nobody trusted": {file, verify.Options{}, verify.NoTrustedSigner},
		"a threshold":    {file, verify.Options{Keyring: opt.Keyring, Threshold: 2}, verify.TooFewSignatures},
	} {
		var e *verify.Error
		if v, err := verify.File(c.file, right(text), c.opt); v != nil || !errors.As(err, &e) || e.Reason != c.reason {
			t.Errorf("%s: %v, %v", what, v, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"` + strings.Repeat("0", 64) + `","sig":"AA=="}]}`))
	f.Fuzz(func(t *testing.T, envelope []byte) {
		if v, err := verify.File([]byte("x"), envelope, verify.Options{}); v != nil || err == nil {
			t.Error("verified without a key")
		}
	})
}
