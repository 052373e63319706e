package program

import (
	"bytes"
	"testing"
	"time"
)

func TestTheStatementHasOneEncoding(t *testing.T) {
	s, err := Describe("tbpf-loader", []byte("x"), 7, time.Unix(1_790_000_000, 5))
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(data)
	if err != nil || *got != *s {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range data {
		if _, err := decode(data[:i]); err == nil {
			t.Fatalf("cut at %d", i)
		}
	}
	if _, err := Describe("tbpf-loader", nil, 0, time.Time{}); err != nil {
		t.Error(err)
	}
	if _, err := (&Statement{Name: "a/b"}).Encode(); err == nil {
		t.Error("a name with a directory")
	}
}

func FuzzDecode(f *testing.F) {
	s, err := Describe("tbpf-loader", []byte("x"), 7, time.Unix(1_790_000_000, 0))
	if err != nil {
		f.Fatal(err)
	}
	data, err := s.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decode(data); err == nil {
			if again, err := s.Encode(); err != nil || !bytes.Equal(again, data) {
				t.Errorf("two encodings: %q", data)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"00","sig":"AA=="}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := Parse(data); err == nil {
			if _, err := e.Marshal(); err != nil {
				t.Error(err)
			}
		}
	})
}
