package main

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestURIsAreRead(t *testing.T) {
	u, err := ParseURI("pkcs11:token=My%20Token;manufacturer=M;serial=1;model=v2;slot-id=7;object=key%3b1;id=%01%ff;type=private?module-path=/usr/lib/m.so&pin-source=file:/run/pin")
	if err != nil {
		t.Fatal(err)
	}
	if u.Token != "My Token" || u.Manufacturer != "M" || u.Serial != "1" || u.Model != "v2" || !u.HasSlot || u.Slot != 7 || u.Object != "key;1" ||
		!bytes.Equal(u.ID, []byte{1, 255}) || u.ModulePath != "/usr/lib/m.so" || u.PINSource != "/run/pin" {
		t.Errorf("%+v", u)
	}
	for _, text := range []string{"object=x", "pkcs11:id=%00", "pkcs11:object=x?pin-source=/run/pin", "pkcs11:object=x?pin-source=file:///run/pin"} {
		if _, err := ParseURI(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestURIsAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "pkcs11:", "pkcs11:token=x", "pkcs11:object=", "pkcs11:object", "pkcs11:object=x;object=y", "pkcs11:object=x;", "pkcs11:object=x?",
		"pkcs11:object=%", "pkcs11:object=%4", "pkcs11:object=%zz", "pkcs11:object=a b", "pkcs11:object=a\x00", "pkcs11:Object=x", "pkcs11:object=x;x-vendor=1",
		"pkcs11:object=x;type=public", "pkcs11:object=x;slot-id=-1", "pkcs11:object=x;slot-id=4294967296", "pkcs11:object=x?module-path=m.so",
		"pkcs11:object=x?pin-source=pin", "pkcs11:object=x?pin-source=|cat", "pkcs11:object=x?pin-source=https://x/y", "pkcs11:object=x?pin-value=1",
		"pkcs11:object=x?pin-source=/a&pin-source=/b", "pkcs11:object=x?object=y", "pkcs11:object=" + strings.Repeat("x", maxURI),
	} {
		if u, err := ParseURI(text); err == nil {
			t.Errorf("%.60q: %+v", text, u)
		}
	}
}

// No error repeats a PIN.
func TestAPINIsNotRepeated(t *testing.T) {
	_, err := ParseURI("pkcs11:object=x?pin-value=secret")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestThePIN(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) *URI {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return &URI{PINSource: path}
	}
	none := func(string) (string, bool) { return "", false }
	for _, u := range []*URI{write("a", "1234\n", 0o600), write("b", "1234\r\n", 0o400), write("c", "1234", 0o600)} {
		if pin, err := u.pin(none); err != nil || string(pin) != "1234" {
			t.Errorf("%q, %v", pin, err)
		}
	}
	for _, u := range []*URI{
		{}, {PINSource: dir}, {PINSource: filepath.Join(dir, "none")}, write("d", "1234", 0o640), write("e", "\n", 0o600), write("f", strings.Repeat("1", 300), 0o600),
	} {
		if pin, err := u.pin(none); err == nil {
			t.Errorf("%q of %+v", pin, u)
		}
	}
	env := func(name string) (string, bool) { return "1234", name == "PKCS11_PIN" }
	if pin, err := (&URI{}).pin(env); err != nil || string(pin) != "1234" {
		t.Errorf("%q, %v", pin, err)
	}
}

func TestRawSignaturesBecomeDER(t *testing.T) {
	der, err := toDER(append([]byte{0, 0x80}, 0x7f, 1))
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 || v.R.Int64() != 0x80 || v.S.Int64() != 0x7f01 {
		t.Errorf("%x, %v", der, err)
	}
	for _, raw := range [][]byte{nil, {1}, {1, 2, 3}} {
		if _, err := toDER(raw); err == nil {
			t.Errorf("%x", raw)
		}
	}
}

func TestDigestInfoIsDER(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		prefix, err := digestInfo(h)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Algorithm struct {
				OID  asn1.ObjectIdentifier
				Null asn1.RawValue
			}
			Digest []byte
		}
		if rest, err := asn1.Unmarshal(append(prefix, make([]byte, h.Size())...), &v); err != nil || len(rest) != 0 || len(v.Digest) != h.Size() {
			t.Errorf("%v: %v", h, err)
		}
	}
	if _, err := digestInfo(crypto.SHA1); err == nil {
		t.Error("SHA-1")
	}
}

func TestCallsThatMeanNothing(t *testing.T) {
	for _, args := range [][]string{
		{"x"}, {"x", "v2", "{}"}, {"x", "v1", "["}, {"x", "v1", `{"methodName":"createKey"}`}, {"x", "v1", `{"methodName":"publicKey"}`},
		{"x", "v1", `{"methodName":"publicKey","initOptions":{"keyResourceID":"pkcs11:object=x?pin-source=/nonexistent"}}`},
	} {
		if r := answer(args, strings.NewReader("")); r.Error == "" {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	f.Add("pkcs11:token=a;object=b%20c;id=%01?pin-source=file:/x&module-path=/y")
	f.Add("pkcs11:slot-id=1;serial=2;model=3;manufacturer=4;type=private;object=5")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURI(text)
		if err == nil && u.Object == "" && len(u.ID) == 0 {
			t.Error("no key")
		}
		if strings.Contains(text, "pin-value=") && err == nil && !strings.Contains(text, "%") && strings.Contains(text, "&pin-value=") {
			t.Error("a PIN in the URI")
		}
	})
}
