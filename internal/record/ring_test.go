package record

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestTheRingsRecordHasOneEncoding(t *testing.T) {
	want := Ring{Boot: "b-o-o-t", Serial: math.MaxInt32, Description: "tbpf:0\"1\n2"}
	data := want.Encode()
	got, err := DecodeRing(data)
	if err != nil || *got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	var e *Error
	for i := range data {
		if _, err := DecodeRing(data[:i]); !errors.As(err, &e) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	text := string(data)
	for name, changed := range map[string]string{
		"another format":     strings.Replace(text, "keyring/1", "keyring/2", 1),
		"an unknown line":    strings.Replace(text, "end\n", "else 1\nend\n", 1),
		"a line twice":       strings.Replace(text, "boot \"b-o-o-t\"\n", "boot \"b-o-o-t\"\nboot \"b-o-o-t\"\n", 1),
		"a word more":        strings.Replace(text, "serial 2147483647", "serial 2147483647 1", 1),
		"a negative number":  strings.Replace(text, "serial 2147483647", "serial -9", 1),
		"a number too large": strings.Replace(text, "serial 2147483647", "serial 2147483648", 1),
		"something behind":   text + "end\n",
		"too much":           text + strings.Repeat("x", MaxSize),
	} {
		if changed == text {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := DecodeRing([]byte(changed)); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeRing(f *testing.F) {
	f.Add((&Ring{Boot: "b", Serial: 3, Description: "tbpf:00"}).Encode())
	f.Add([]byte(ringHeader + "\nend\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := DecodeRing(data); err == nil && !bytes.Equal(r.Encode(), data) {
			t.Errorf("two encodings: %q", data)
		}
	})
}
