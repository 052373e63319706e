package sorted

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The order is that of package slices, of any number of strings, some alike.
func TestTheOrderIsThatOfSlices(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.Repeat("a", r.IntN(3)) + string(rune('a'+r.IntN(n)))
		}
		want := slices.Sorted(slices.Values(list))
		if got := Collected(slices.Values(list)); !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		if Strings(list); !slices.Equal(list, want) {
			t.Fatalf("%q, want %q", list, want)
		}
	}
}
