package report

import "reflect"

// escaped returns a deep copy with every string in it as Name prints it, keys
// of maps included, and with empty lists where the original has none. Doing it
// once and for all fields means that a field that is added later cannot be
// forgotten.
func escaped[T any](v T) T {
	return escapeValue(reflect.ValueOf(v)).Interface().(T)
}

func escapeValue(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(Name(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(escapeValue(v.Elem()))
		}
	case reflect.Slice:
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(escapeValue(v.Index(i)))
		}
	case reflect.Map:
		out.Set(reflect.MakeMap(v.Type()))
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(escapeValue(it.Key()), escapeValue(it.Value()))
		}
	case reflect.Struct:
		out.Set(v) // what has no exported fields, time.Time, is copied as it is
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(escapeValue(v.Field(i)))
			}
		}
	default:
		out.Set(v)
	}
	return out
}
