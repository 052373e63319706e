package skeleton

import (
	"errors"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// Variables of an arena lie on whole pages at its end, and no further than an
// instruction reaches.
func TestWhereVariablesOfAnArenaLie(t *testing.T) {
	for _, c := range []struct {
		pages, size uint32
		at          uint32
	}{
		{1, 1, 0}, {1, 4096, 0}, {16, 1, 15 * 4096}, {16, 4097, 14 * 4096}, {16, 65536, 0},
		{1 << 17, 1, 1<<29 - 4096}, {1 << 20, 8192, 1<<29 - 8192},
	} {
		a := &arena{plan: &mapPlan{name: "arena", maxEntries: c.pages, flags: bpfabi.MapFlagMmapable}}
		if err := a.place(make([]byte, c.size)); err != nil || a.at != c.at || a.plan.arena != a {
			t.Errorf("%d bytes in %d pages: at %d, %v; want %d", c.size, c.pages, a.at, err, c.at)
		}
	}
}

func TestArenasThatNobodyCanFill(t *testing.T) {
	arenas := func(list ...*mapPlan) []*mapPlan {
		for _, m := range list {
			m.typ = bpfabi.MapArena
		}
		return list
	}
	section := &mapPlan{zeroes: make([]byte, 4097)}
	for want, plans := range map[string][]*mapPlan{
		"the object has 0":           nil,
		"the object has 2":           arenas(&mapPlan{}, &mapPlan{}),
		"do not hold the 4097 bytes": arenas(&mapPlan{maxEntries: 1, flags: bpfabi.MapFlagMmapable}),
		"segv_on_fault":              arenas(&mapPlan{maxEntries: 2, flags: bpfabi.MapFlagMmapable | bpfabi.MapFlagSegvOnFault}),
		"lacks the flag mmapable":    arenas(&mapPlan{maxEntries: 2}),
	} {
		_, err := takeArena(plans, section)
		if refused, ok := errors.AsType[*UnsupportedError](err); !ok || !strings.Contains(refused.Why, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	// Without variables there can be several, each with an address of its own.
	several := arenas(&mapPlan{}, &mapPlan{extra: 1 << 40}, &mapPlan{})
	if a, err := takeArena(several, nil); a != nil || err != nil {
		t.Errorf("%+v, %v", a, err)
	}
	if several[0].extra != 1<<44 || several[1].extra != 1<<40 || several[2].extra != 1<<44+2<<32 {
		t.Errorf("they lie at %#x, %#x, %#x", several[0].extra, several[1].extra, several[2].extra)
	}
}
