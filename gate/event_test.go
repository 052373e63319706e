package gate

import (
	"encoding/binary"
	"testing"
)

// slot is a ring slot with every field set to something else.
func slot(sequence uint64) []byte {
	b := make([]byte, EventSize)
	for i := range b {
		b[i] = byte(i)
	}
	for _, end := range []int{95, 111, 247} { // strings end here
		b[end] = 0
	}
	b[65] = 1
	binary.NativeEndian.PutUint64(b, sequence)
	binary.NativeEndian.PutUint64(b[248:], sequence)
	return b
}

func TestDecodeEvent(t *testing.T) {
	e, ok := DecodeEvent(slot(7), 7)
	if !ok || e.Sequence != 7 || e.Time != binary.NativeEndian.Uint64(slot(7)[8:]) || !e.Verified || e.Reason != 66 || e.Decision != 67 || e.Mode != 68 || e.Flags != 69 {
		t.Errorf("%+v, %v", e, ok)
	}
	if len(e.Task) != 15 || len(e.Name) != 15 || len(e.Exe) != 135 {
		t.Errorf("strings of %d, %d, %d bytes", len(e.Task), len(e.Name), len(e.Exe))
	}
}

// A slot that holds another event, or is just being written, is none.
func TestHalfWrittenEventsAreNone(t *testing.T) {
	for about, change := range map[string]func([]byte) []byte{
		"another event":          func(b []byte) []byte { b[0]++; b[248]++; return b },
		"its end is not written": func(b []byte) []byte { b[248]++; return b },
		"its begin is older":     func(b []byte) []byte { b[0]++; return b },
		"short":                  func(b []byte) []byte { return b[:EventSize-1] },
	} {
		if e, ok := DecodeEvent(change(slot(7)), 7); ok {
			t.Errorf("%s: %+v", about, e)
		}
	}
	if _, ok := DecodeEvent(make([]byte, EventSize), 0); ok {
		t.Error("an empty slot is an event")
	}
}

func TestSlot(t *testing.T) {
	for sequence, want := range map[uint64]uint32{1: 0, 2: 1, Events: Events - 1, Events + 1: 0} {
		if got := Slot(sequence); got != want {
			t.Errorf("event %d is in slot %d, not %d", sequence, got, want)
		}
	}
}
