package revocation

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/keys"
)

func digest(c string) string { return strings.Repeat(c, 32) }

func fullList() *List {
	return &List{
		Name: "fleet", Serial: 7,
		Issued:  time.Date(2026, 3, 1, 8, 30, 0, 0, time.UTC),
		Expires: time.Date(2026, 6, 1, 8, 30, 0, 0, time.UTC),
		Keys:    []string{digest("0a"), digest("0b")},
		Digests: []string{digest("1c")},
		Names:   []Version{{Name: "count", Below: 3}, {Name: "guard", Below: 5, Floor: 8}, {Name: "other", Floor: 1}},
	}
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	for _, l := range []*List{fullList(), {Name: "empty", Serial: 1, Issued: fullList().Issued, Expires: fullList().Expires}} {
		payload, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := got.Encode(); err != nil || !bytes.Equal(again, payload) {
			t.Errorf("%v\n%s\n%s", err, payload, again)
		}
	}
}

func TestListsThatAreRefused(t *testing.T) {
	for about, change := range map[string]func(*List){
		"no name":               func(l *List) { l.Name = "" },
		"a name that is a path": func(l *List) { l.Name = "../x" },
		"serial 0":              func(l *List) { l.Serial = 0 },
		"no times":              func(l *List) { l.Issued = time.Time{} },
		"half seconds":          func(l *List) { l.Expires = l.Expires.Add(time.Millisecond) },
		"expired when issued":   func(l *List) { l.Expires = l.Issued },
		"key twice":             func(l *List) { l.Keys[1] = l.Keys[0] },
		"keys out of order":     func(l *List) { l.Keys[0], l.Keys[1] = l.Keys[1], l.Keys[0] },
		"key in capitals":       func(l *List) { l.Keys[0] = strings.ToUpper(l.Keys[0]) },
		"short key":             func(l *List) { l.Keys[0] = l.Keys[0][2:] },
		"digest with a prefix":  func(l *List) { l.Digests[0] = "sha256:" + l.Digests[0] },
		"names out of order":    func(l *List) { l.Names[0], l.Names[1] = l.Names[1], l.Names[0] },
		"name twice":            func(l *List) { l.Names[1] = l.Names[0] },
		"nothing said":          func(l *List) { l.Names[0].Below = 0 },
		"floor under the least": func(l *List) { l.Names[1].Floor = 4 },
		"too many keys": func(l *List) {
			l.Keys = nil
			for i := range maxEntries + 1 {
				l.Keys = append(l.Keys, fmt.Sprintf("%064x", i))
			}
		},
	} {
		l := fullList()
		change(l)
		var e *Error
		if _, err := l.Encode(); !errors.As(err, &e) {
			t.Errorf("%s: encoded (%v)", about, err)
		}
	}
	good, err := fullList().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for about, text := range map[string]string{
		"empty":            "",
		"another type":     strings.Replace(string(good), ListType, ListType+"2", 1),
		"an unknown field": strings.Replace(string(good), `{"_type"`, `{"more":1,"_type"`, 1),
		"a field twice":    strings.Replace(string(good), `{"_type"`, `{"serial":9,"_type"`, 1),
		"a field missing":  strings.Replace(string(good), `"serial":7,`, "", 1),
		"trailing bytes":   string(good) + "{}",
		"another case":     strings.Replace(string(good), `"serial"`, `"Serial"`, 1),
		"a negative least": strings.Replace(string(good), `"below":3`, `"below":-3`, 1),
		"null":             strings.Replace(string(good), `"serial":7`, `"serial":null`, 1),
	} {
		var e *Error
		if _, err := decode([]byte(text)); !errors.As(err, &e) {
			t.Errorf("%s: decoded (%v)", about, err)
		}
	}
}

// signedFile is a list signed by one key.
func signedFile(t testing.TB) (*File, *keys.TrustedKey) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := keys.TrustKey(k.Public(), "test")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := fullList().Encode()
	if err != nil {
		t.Fatal(err)
	}
	f := &File{Payload: payload}
	w := keys.ECDSAP256SHA256.Hash().New()
	w.Write(f.Message())
	value, err := ecdsa.SignASN1(rand.Reader, k, w.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	f.Signatures = []Signature{{KeyID: trusted.ID, Value: value}}
	return f, trusted
}

func TestFilesKeepWhatWasSigned(t *testing.T) {
	f, key := signedFile(t)
	data, err := f.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Check(got.Signatures[0], key, keys.Checker{}); err != nil {
		t.Error(err)
	}
	if l, err := got.Decode(); err != nil || l.Serial != 7 || got.Digest() != f.Digest() {
		t.Errorf("%+v, %v", l, err)
	}
	got.Payload = bytes.Replace(got.Payload, []byte(`"serial":7`), []byte(`"serial":8`), 1)
	if got.Check(got.Signatures[0], key, keys.Checker{}) == nil {
		t.Error("a changed list has a right signature")
	}
}

// A signature of a manifest is none of a list, although both are DSSE (A16).
func TestAListIsNoManifest(t *testing.T) {
	f, key := signedFile(t)
	e := &dsse.Envelope{PayloadType: manifest.PayloadType, Payload: f.Payload, Signatures: []dsse.Signature{{KeyID: key.ID.String(), Value: f.Signatures[0].Value}}}
	data, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var refused *Error
	if _, err := Parse(data); !errors.As(err, &refused) {
		t.Errorf("an envelope of another type: %v", err)
	}
	alg, err := key.Algorithm()
	if err != nil {
		t.Fatal(err)
	}
	if keys.VerifyAnyS(key.Public, alg, dsse.PAE(manifest.PayloadType, f.Payload), f.Signatures[0].Value) == nil {
		t.Error("the signature of a list is one of a manifest")
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	f, key := signedFile(t)
	marshal := func(e *dsse.Envelope) []byte {
		data, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	id := key.ID.String()
	envelope := func(ids ...string) []byte {
		e := &dsse.Envelope{PayloadType: PayloadType, Payload: f.Payload}
		for _, id := range ids {
			e.Signatures = append(e.Signatures, dsse.Signature{KeyID: id, Value: []byte{1}})
		}
		return marshal(e)
	}
	for about, data := range map[string][]byte{
		"no key id":       envelope(""),
		"not a key id":    envelope("release"),
		"capitals":        envelope(strings.ToUpper(id)),
		"one key twice":   envelope(id, id),
		"no signature":    envelope(),
		"nothing":         nil,
		"too large":       make([]byte, MaxSize+1),
		"an unknown part": append(bytes.TrimSuffix(bytes.TrimSpace(envelope(id)), []byte("}")), `,"more":1}`...),
	} {
		var e *Error
		if _, err := Parse(data); !errors.As(err, &e) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	file, _ := signedFile(f)
	data, err := file.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"payloadType":"` + PayloadType + `","payload":"e30=","signatures":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		if l, err := file.Decode(); err == nil {
			if _, err := l.Encode(); err != nil {
				t.Errorf("decoded, and cannot be encoded: %v", err)
			}
		}
	})
}

// The example of docs/revocation.md is a list, and the page has the types.
func TestTheExampleOfThePageIsAList(t *testing.T) {
	page, err := os.ReadFile("../../docs/revocation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	l, err := decode([]byte(example))
	if err != nil || l.Serial != 7 || len(l.Keys) != 1 || l.Version("guard") != (Version{Name: "guard", Below: 5, Floor: 8}) {
		t.Errorf("%+v, %v", l, err)
	}
	message := (&File{Payload: []byte("x")}).Message()
	if head := strings.TrimSuffix(string(message), "1 x"); !strings.Contains(string(page), head+`" LEN`) {
		t.Errorf("the page does not have %q", head)
	}
}
