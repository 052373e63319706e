package floor

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/keys"
)

var (
	alice = keys.ID{1}
	bob   = keys.ID{2}
)

func filled() *State {
	s := &State{Time: time.Unix(1_790_000_000, 0).UTC()}
	s.Raise("guard", []keys.ID{alice}, 5)
	s.Raise("guard", []keys.ID{bob}, 3)
	s.Raise("count", []keys.ID{alice, bob}, math.MaxUint64)
	return s
}

func TestLeast(t *testing.T) {
	s := filled()
	for _, c := range []struct {
		why     string
		name    string
		signers []keys.ID
		want    uint64
	}{
		{"each signer has a floor of its own", "guard", []keys.ID{alice}, 5},
		{"each signer has a floor of its own", "guard", []keys.ID{bob}, 3},
		{"of several the highest counts", "guard", []keys.ID{bob, alice}, 5},
		{"a name that had a version has no version 0 any more", "guard", []keys.ID{{9}}, 1},
		{"a new name begins anywhere", "other", []keys.ID{alice}, 0},
	} {
		if got := s.Least(c.name, c.signers); got != c.want {
			t.Errorf("%s: Least(%s) = %d, want %d", c.why, c.name, got, c.want)
		}
	}
}

func TestAFloorOnlyRises(t *testing.T) {
	s := filled()
	for _, version := range []uint64{0, 1, 5} {
		if s.Raise("guard", []keys.ID{alice}, version) || s.Least("guard", []keys.ID{alice}) != 5 {
			t.Errorf("version %d changes the floor to %d", version, s.Least("guard", []keys.ID{alice}))
		}
	}
	if !s.Raise("guard", []keys.ID{alice}, 6) || s.Least("guard", []keys.ID{alice}) != 6 {
		t.Error("version 6 does not raise it")
	}
	if s.Raise("new", []keys.ID{alice}, 0) || s.Least("new", []keys.ID{alice}) != 0 {
		t.Error("version 0 makes a floor")
	}
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	for _, s := range []*State{{}, filled()} {
		data := s.Encode()
		got, err := Decode(data)
		if err != nil || !bytes.Equal(got.Encode(), data) {
			t.Errorf("%v\n%s", err, data)
		}
	}
}

// No state that lost or changed a byte is taken for another (A19).
func TestDamageIsRefused(t *testing.T) {
	data := filled().Encode()
	var e *Error
	for i := range data {
		if _, err := Decode(data[:i]); !errors.As(err, &e) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		for _, bit := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(data)
			changed[i] ^= bit
			if _, err := Decode(changed); !errors.As(err, &e) {
				t.Fatalf("byte %d changed: %v", i, err)
			}
		}
	}
	for _, more := range []string{"\n", "x", string(data)} {
		if _, err := Decode(append(bytes.Clone(data), more...)); !errors.As(err, &e) {
			t.Errorf("followed by %q: %v", more, err)
		}
	}
	if _, err := Decode(make([]byte, MaxSize+1)); !errors.As(err, &e) {
		t.Errorf("too large: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add((&State{}).Encode())
	f.Add(filled().Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Decode(data); err == nil && !bytes.Equal(s.Encode(), data) {
			t.Errorf("two encodings: %q", data)
		}
	})
}
