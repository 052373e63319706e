package dsse_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/dsse"
)

// The example of the DSSE protocol's own specification.
func TestPAEOfTheSpecification(t *testing.T) {
	got := string(dsse.PAE("http://example.com/HelloWorld", []byte("hello world")))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := string(dsse.PAE("", nil)), "DSSEv1 0  0 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// No split of one text into type and payload has the encoding of another.
func TestPAEIsInjective(t *testing.T) {
	text := "a 1 b 2 c"
	seen := make(map[string]int)
	for i := range len(text) {
		enc := string(dsse.PAE(text[:i], []byte(text[i:])))
		if j, twice := seen[enc]; twice {
			t.Errorf("splits at %d and %d are encoded alike", i, j)
		}
		seen[enc] = i
	}
}

// A signature of a manifest must not be one of a loader program: both may be
// by one key, and the kernel's signatures have no framing. Read as BPF, every
// encoding begins with an instruction that the verifier refuses
// (kernel/bpf/verifier.c, check_alu_op: "uses reserved fields").
func TestPAEIsNoProgram(t *testing.T) {
	const orImmediate = 0x44 // BPF_ALU | BPF_OR | BPF_K: source register and offset must be 0
	b := dsse.PAE("application/vnd.in-toto+json", []byte("{}"))
	if b[0] != orImmediate || b[1]>>4 == 0 || b[2] == 0 && b[3] == 0 {
		t.Errorf("the first eight bytes % x may be an instruction", b[:8])
	}
}

func TestParseIsTheInverseOfMarshal(t *testing.T) {
	want := &dsse.Envelope{PayloadType: "type", Payload: []byte("payload\x00\xff"), Signatures: []dsse.Signature{{Value: []byte{1, 2}}, {KeyID: "k", Value: []byte{3}}}}
	b, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte("\n")); n != 1 || b[len(b)-1] != '\n' {
		t.Errorf("not one line: %q", b)
	}
	if bytes.Contains(b, []byte(`"keyid":""`)) {
		t.Error("an empty key id is written")
	}
	got, err := dsse.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.PayloadType != want.PayloadType || !bytes.Equal(got.Payload, want.Payload) || len(got.Signatures) != 2 ||
		!bytes.Equal(got.Signatures[0].Value, []byte{1, 2}) || got.Signatures[1].KeyID != "k" {
		t.Errorf("got %+v", got)
	}
}

// cosign and go-securesystemslib write the key id also when it is empty.
func TestParseTakesAnEmptyKeyID(t *testing.T) {
	if _, err := dsse.Parse([]byte(`{"payloadType":"t","payload":"cA==","signatures":[{"keyid":"","sig":"cw=="}]}`)); err != nil {
		t.Error(err)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":              ``,
		"empty object":         `{}`,
		"no signatures":        `{"payloadType":"t","payload":"cA==","signatures":[]}`,
		"null signatures":      `{"payloadType":"t","payload":"cA==","signatures":null}`,
		"17 signatures":        `{"payloadType":"t","payload":"cA==","signatures":[` + strings.Repeat(`{"sig":"cw=="},`, 16) + `{"sig":"cw=="}]}`,
		"empty signature":      `{"payloadType":"t","payload":"cA==","signatures":[{"sig":""}]}`,
		"unknown field":        `{"payloadType":"t","payload":"cA==","signatures":[{"sig":"cw=="}],"x":1}`,
		"duplicate field":      `{"payloadType":"t","payload":"cA==","payload":"cQ==","signatures":[{"sig":"cw=="}]}`,
		"case-folded field":    `{"payloadType":"t","Payload":"cA==","signatures":[{"sig":"cw=="}]}`,
		"URL alphabet":         `{"payloadType":"t","payload":"-_8=","signatures":[{"sig":"cw=="}]}`,
		"no padding":           `{"payloadType":"t","payload":"cA","signatures":[{"sig":"cw=="}]}`,
		"loose padding bits":   `{"payloadType":"t","payload":"cB==","signatures":[{"sig":"cw=="}]}`,
		"line break":           `{"payloadType":"t","payload":"cA\n==","signatures":[{"sig":"cw=="}]}`,
		"no base64 after some": `{"payloadType":"t","payload":"cA==","signatures":[{"sig":"cHBw!"}]}`,
		"line break in value":  `{"payloadType":"t","payload":"cA==","signatures":[{"sig":"cw==\r"}]}`,
		"trailing":             `{"payloadType":"t","payload":"cA==","signatures":[{"sig":"cw=="}]}{}`,
		"too long":             `{"payloadType":"t","payload":"` + base64.StdEncoding.EncodeToString(make([]byte, 6<<20+3)) + `","signatures":[{"sig":"cw=="}]}`,
	} {
		if e, err := dsse.Parse([]byte(in)); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"payloadType":"t","payload":"cA==","signatures":[{"keyid":"","sig":"cw=="}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := dsse.Parse(in)
		if err != nil {
			return
		}
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := dsse.Parse(b)
		if err != nil {
			t.Fatalf("marshalled and refused: %v", err)
		}
		if !bytes.Equal(again.Payload, e.Payload) || again.PayloadType != e.PayloadType || len(again.Signatures) != len(e.Signatures) {
			t.Error("it changed on the way")
		}
	})
}
