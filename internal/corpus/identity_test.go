package corpus

import (
	"fmt"
	"slices"
	"testing"
)

// unproven are programs of which neither a tag nor a bare load of cilium/ebpf's
// shows that they are the object's, by source and object: it cannot read objects
// with callbacks for exceptions, nor with several static functions of one name. That they do what they are for is the test of
// internal/vmtest.
var unproven = map[string][]string{
	Fixtures + " modern.bpf.o": {"loops", "objects", "throws_again", "throws_to_callback"},
	Fixtures + " linked.bpf.o": {"part_1", "part_2"},
}

// checkIdentities wants every load to be what was signed.
func checkIdentities(t *testing.T, objects []Result, all []Tried) {
	t.Helper()
	if len(all) != len(objects) {
		t.Fatalf("%d answers of %d objects", len(all), len(objects))
	}
	var sum Identity
	for i := range all {
		id, o := &all[i].Identity, &objects[i]
		for _, what := range id.Differs {
			t.Errorf("%s %s: %s", o.Source, o.Name, what)
		}
		for _, name := range id.Unproven {
			if !slices.Contains(unproven[o.Source+" "+o.Name], name) {
				t.Errorf("%s %s: program %q: nothing shows what it is", o.Source, o.Name, name)
			}
		}
		for _, what := range id.notes() {
			t.Logf("%s %s: %s", o.Source, o.Name, what)
		}
		sum.Given += id.Given
		sum.Compared += id.Compared
		sum.Maps += id.Maps
	}
	t.Logf("programs: %d have the tag of what was signed, %d are those of the bare load, as are %d maps", sum.Given, sum.Compared, sum.Maps)
	if !partial() && (sum.Given == 0 || sum.Compared == 0) {
		t.Error("nothing was compared")
	}
}

// notes are what could not be told, and why.
func (id *Identity) notes() []string {
	list := slices.Clone(id.Unknown)
	for _, name := range id.Moved {
		list = append(list, fmt.Sprintf("map %q was in use: of its contents none were compared, but of a data section those that it began with", name))
	}
	return list
}
