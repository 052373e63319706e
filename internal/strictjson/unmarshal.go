// Package strictjson reads JSON that must mean one thing to every reader.
//
// Beyond what encoding/json refuses, it refuses: fields that the Go type does
// not have, in exactly that spelling; fields that stand twice; fields that are
// missing and not marked omitempty; null; numbers that are no integers in
// plain digits; invalid UTF-8 and lone surrogates; a byte order mark; nesting
// deeper than MaxDepth; and anything after the value but white space. It looks
// at the whole input before it allocates anything from it.
//
// manifest, dsse and the readers of signed lists import it. It imports nothing
// of tbpf.
package strictjson

import (
	"fmt"
	"reflect"
)

// MaxDepth is how deep objects and arrays may be nested.
const MaxDepth = 16

// Error says where the input breaks which rule.
type Error struct {
	Offset int    // in bytes
	What   string // the rule, in words; input in it is quoted
}

func (e *Error) Error() string { return fmt.Sprintf("JSON at byte %d: %s", e.Offset, e.What) }

// Unmarshal reads data into the value that v points to, which an error leaves as
// it was. The type may be made
// of structs with json tags, slices, pointers, strings, integers, booleans and
// map[string]string; anything else is an error.
func Unmarshal(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("strictjson: %T is no pointer to a value", v)
	}
	want := make(shapes).of(p.Type().Elem())
	s := scanner{data: data}
	if err := s.document(want, reflect.Value{}); err != nil {
		return err
	}
	value := reflect.New(p.Type().Elem()).Elem()
	s = scanner{data: data}
	if err := s.document(want, value); err != nil {
		return err
	}
	p.Elem().Set(value)
	return nil
}
