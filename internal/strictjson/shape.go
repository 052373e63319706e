package strictjson

import (
	"reflect"
	"strings"
)

// shape is what a Go type demands of a JSON value. It is worked out once a
// type: a manifest has thousands of values of a dozen types.
type shape struct {
	kind   kind
	goType reflect.Type
	elem   *shape         // of the values of a list or a map
	fields []field        // of a struct
	byName map[string]int // the index of a struct's field
}

type field struct {
	name     string
	index    int // in the struct
	optional bool
	shape    *shape
}

type kind uint8

const (
	unsupported kind = iota
	text
	boolean
	integer
	list
	mapping
	structure
)

// unmarshaler is encoding/json's Unmarshaler. That package itself is not
// imported: with what comes with it, it is a fifteenth of the trusted loader.
type unmarshaler interface{ UnmarshalJSON([]byte) error }

// shapes has the shapes of the types met so far, for types that contain
// themselves and for those that stand in several places.
type shapes map[reflect.Type]*shape

func (known shapes) of(t reflect.Type) *shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s := known[t]; s != nil {
		return s
	}
	s := &shape{goType: t}
	known[t] = s
	switch {
	case t.Kind() == reflect.String, reflect.PointerTo(t).Implements(reflect.TypeFor[unmarshaler]()):
		s.kind = text
	case t.Kind() == reflect.Struct:
		known.structure(s)
	case t == reflect.TypeFor[map[string]string]():
		s.kind, s.elem = mapping, known.of(t.Elem())
	case t.Kind() == reflect.Slice:
		s.kind, s.elem = list, known.of(t.Elem())
	case t.Kind() == reflect.Bool:
		s.kind = boolean
	case reflect.Int <= t.Kind() && t.Kind() <= reflect.Uint64:
		s.kind = integer
	}
	return s
}

// structure fills in the shape of a struct. One with more fields than a word
// has bits stays unsupported: object keeps account of them in one.
func (known shapes) structure(s *shape) {
	byName := make(map[string]int, s.goType.NumField())
	for i := range s.goType.NumField() {
		f := s.goType.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		byName[name] = len(s.fields)
		s.fields = append(s.fields, field{name: name, index: i, optional: options == "omitempty", shape: known.of(f.Type)})
	}
	if len(s.fields) <= 64 {
		s.kind, s.byName = structure, byName
	}
}
