package manifest

import "reflect"

// DiffersFromGenerated compares the parts that are made from the object alone
// with those of a manifest that was generated anew, and returns the JSON name
// of the first that differs, or an empty string.
func (m *Manifest) DiffersFromGenerated(again *Manifest) string {
	a, b := m, again
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"architecture", a.Architecture, b.Architecture},
		{"byteOrder", a.ByteOrder, b.ByteOrder},
		{"contextSize", a.Context, b.Context},
		{"programs", a.Programs, b.Programs},
		{"maps", a.Maps, b.Maps},
		{"globals", a.Globals, b.Globals},
		{"tunables", a.Tunables, b.Tunables},
		{"symbols", a.Symbols, b.Symbols},
		{"delegation", a.Delegation, b.Delegation},
		{"capabilities", a.Capabilities, b.Capabilities},
		{"kernel", a.Kernel, b.Kernel},
	} {
		if !same(reflect.ValueOf(part.a), reflect.ValueOf(part.b)) {
			return part.name
		}
	}
	return ""
}

// same compares values of one type. A list that is absent and one that is
// empty are written alike, and so are the same.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	default:
		return a.Interface() == b.Interface() // a string, a number or a boolean
	}
}
