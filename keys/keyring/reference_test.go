package keyring

import "testing"

func TestParseIsTheInverseOfString(t *testing.T) {
	for s, id := range map[string]int32{"builtin": 0, "secondary": 1, "platform": 2, "bpf": -9, "3": 3, "812345678": 812345678} {
		r, err := Parse(s)
		if err != nil || r.IsZero() || r.ID() != id || r.String() != s {
			t.Errorf("%q: %v (%d), %v", s, r, r.ID(), err)
		}
	}
	if r, err := Parse("0x3f000001"); err != nil || r.ID() != 0x3f000001 {
		t.Errorf("hex: %v, %v", r, err)
	}
}

// An alias means another keyring for everybody who uses it, the caller's own
// included: an attacker's certificate could be in it.
func TestParseRefusesAliasesAndNonsense(t *testing.T) {
	for _, s := range []string{"", "-1", "-3", "-9", "0", "1", "2", "@s", "session", "Builtin", "4294967293", "2147483648", "1.5", "0x", "+5", "0x+5", "0x-3", " 5", "5 ", "1_000", "none"} {
		if r, err := Parse(s); err == nil {
			t.Errorf("%q was read as %v", s, r)
		}
	}
}

func TestTheZeroReferenceNamesNothing(t *testing.T) {
	var r Reference
	if !r.IsZero() || r.String() != "none" {
		t.Errorf("%v", r)
	}
	for _, id := range []int32{-3, -1, 0, 1, 2} {
		if !Serial(id).IsZero() {
			t.Errorf("serial %d names a keyring", id)
		}
	}
}
