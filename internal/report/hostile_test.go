package report

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

const hostile = "x\x1b[2J\n\u202ey\u0085\"\xff"

// fill puts the hostile string into every string of a value, and one element
// into every list.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*manifest.Map]() {
			return // an inner map, without end
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}

// TestNoDocumentLetsHostileNamesThrough: not as text, and not in JSON even
// after a reader has undone JSON's own escapes.
func TestNoDocumentLetsHostileNamesThrough(t *testing.T) {
	var m manifest.Manifest
	fill(reflect.ValueOf(&m).Elem())
	var in loader.Report
	fill(reflect.ValueOf(&in).Elem())
	bad := Outcome{Verdict: Failed, Error: Text(hostile), Code: 1}
	good := Outcome{Verdict: Done}

	sign := NewSign()
	sign.Add(hostile, good, hostile, 1, false, &m)
	sign.Add(hostile, bad, hostile, 0, false, nil)
	ver := NewVerify()
	ver.Add(hostile, nil, false, bad)
	load := NewLoad()
	load.Add(hostile, &in, []string{hostile}, nil, Outcome{Verdict: Loaded})
	load.Add(hostile, nil, []string{hostile}, &loader.Error{Log: []byte(hostile)}, bad)
	unload := NewUnload()
	unload.Add(hostile, good)
	status := NewStatus(hostile, good)
	status.Add(&in, true, hostile, []Signer{{KeyID: hostile, Subject: hostile, Algorithm: hostile}})
	status.Machine([]StatusProgram{{Name: hostile}, {Name: hostile, Object: hostile}}, []StatusMap{{Name: hostile}}, []StatusLink{{Type: hostile}})
	status.Notice(hostile)
	examined := NewDoctor(hostile, hostile, good)
	examined.Add(DoctorCheck{ID: "object", Subject: hostile, Status: "ok", Finding: hostile, Details: []string{hostile}, Remedy: hostile})
	gateLog, gateLearn := NewGateLog(), NewGateLearn()
	var event GateEvent
	fill(reflect.ValueOf(&event).Elem())
	gateLog.Add(event)
	gateLearn.Outcome = good
	gateLearn.Add("/bin/x", 1, []string{hostile})
	gateLearn.Notice(hostile)
	keygen := &Keygen{Head: NewHead("keygen"), Outcome: good, PrivateKey: Name(hostile), Subject: Name(hostile)}

	for _, d := range []Document{
		NewInspect(hostile, &verify.Unverified{Object: []byte{1}, Seal: &seal.Seal{}, Manifest: &m}, good),
		NewInspect(hostile, nil, bad), sign, ver, load, unload, keygen,
		status,
		examined, gateLog, gateLearn,
		NewOutput("strip", hostile, "object", hostile, nil, good),
	} {
		var text, json bytes.Buffer
		if err := d.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if err := WriteJSON(&json, d); err != nil {
			t.Fatal(err)
		}
		for what, out := range map[string][]byte{"text": text.Bytes(), "JSON": json.Bytes()} {
			if !Printable(out) {
				t.Errorf("%T as %s: %q", d, what, out)
			}
			if bytes.Contains(out, []byte("\\u001b")) || bytes.Contains(out, []byte("\\u202e\"")) {
				t.Errorf("%T as %s has the character behind JSON's escape: %s", d, what, out)
			}
		}
		if len(text.Bytes()) > 0 && !strings.Contains(text.String(), `\x1b[2J`) {
			t.Errorf("%T does not show the name:\n%s", d, text.String())
		}
	}
}

func TestEscapedKeepsTheOriginal(t *testing.T) {
	m := &manifest.Manifest{Name: hostile, Programs: []manifest.Program{{Name: hostile}}}
	if e := escaped(m); e.Name == hostile || e.Programs[0].Name == hostile || e.Maps == nil {
		t.Errorf("escaped = %+v", e)
	}
	if m.Name != hostile || m.Programs[0].Name != hostile || m.Maps != nil {
		t.Errorf("the original is now %+v", m)
	}
}

func TestLinesKeepsLines(t *testing.T) {
	if got := Lines("a\tb\n\x1b[1m\r\nc"); got != "a        b\n\\x1b[1m\\r\nc" {
		t.Errorf("Lines = %q", got)
	}
}
