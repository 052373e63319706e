package stricttoml

// table is a table in the making. How it came to be decides what may be added.
type table struct {
	members map[string]any // string, int64, bool, []any, *table, []*table
	headed  bool           // it had a header of its own
	dotted  bool           // a key with dots made it
	closed  bool           // a table in braces: complete
}

func newTable() *table { return &table{members: make(map[string]any)} }

// close makes a table complete, with those in it.
func (t *table) close() *table {
	t.closed = true
	for _, v := range t.members {
		if inner, ok := v.(*table); ok {
			inner.close()
		}
	}
	return t
}

// open makes the table of a header, or the next one of an array of tables.
func (t *table) open(path []string, list bool) (*table, bool) {
	for _, key := range path[:len(path)-1] {
		next, ok := t.step(key)
		if !ok {
			return nil, false
		}
		t = next
	}
	key := path[len(path)-1]
	made := newTable()
	made.headed = true
	if list {
		switch have := t.members[key].(type) {
		case nil:
			t.members[key] = []*table{made}
		case []*table:
			t.members[key] = append(have, made)
		default:
			return nil, false
		}
		return made, true
	}
	switch have := t.members[key].(type) {
	case nil:
		t.members[key] = made
		return made, true
	case *table:
		if have.headed || have.dotted || have.closed {
			return nil, false
		}
		have.headed = true // until now it was only on the way to another
		return have, true
	default:
		return nil, false
	}
}

// step goes to a table on the way to another, the last one of an array, and
// makes it if it is missing.
func (t *table) step(key string) (*table, bool) {
	switch have := t.members[key].(type) {
	case nil:
		made := newTable()
		t.members[key] = made
		return made, true
	case *table:
		return have, !have.closed && !have.dotted
	case []*table:
		return have[len(have)-1], true
	default:
		return nil, false
	}
}

// set adds a value. Keys with dots go through tables that they made, and
// through no others.
func (t *table) set(path []string, value any) bool {
	for _, key := range path[:len(path)-1] {
		switch have := t.members[key].(type) {
		case nil:
			made := newTable()
			made.dotted = true
			t.members[key] = made
			t = made
		case *table:
			if !have.dotted || have.closed {
				return false
			}
			t = have
		default:
			return false
		}
	}
	key := path[len(path)-1]
	if _, twice := t.members[key]; twice {
		return false
	}
	t.members[key] = value
	return true
}

// values is the table as its readers want it.
func (t *table) values() map[string]any {
	out := make(map[string]any, len(t.members))
	for key, v := range t.members {
		switch v := v.(type) {
		case *table:
			out[key] = v.values()
		case []*table:
			list := make([]map[string]any, 0, len(v))
			for _, one := range v {
				list = append(list, one.values())
			}
			out[key] = list
		default:
			out[key] = v
		}
	}
	return out
}
