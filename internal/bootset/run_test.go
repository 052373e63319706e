package bootset

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/policy"
)

// fake is a machine on which the objects in fails fail.
type fake struct {
	fails  string
	stuck  string // cannot be taken down
	state  State
	loaded []string
	down   []string

	open, most int // begun and neither finished nor dropped
	dropped    []string
}

// ahead is a machine that begins so many objects besides the one that it loads.
func (f *fake) ahead(n int) Machine {
	return Machine{Begin: f.begin, Ahead: n, TakeDown: f.takeDown}
}

func (f *fake) begin(e *Entry) Begun {
	f.open++
	f.most = max(f.most, f.open)
	return Begun{
		Finish: func() (State, error) { f.open--; return f.load(e) },
		Drop:   func() { f.open--; f.dropped = append(f.dropped, e.Name) },
	}
}

func (f *fake) load(e *Entry) (State, error) {
	if strings.Contains(f.fails, e.Name) {
		return Loaded, errors.New("no") // a state beside an error means nothing
	}
	f.loaded = append(f.loaded, e.Name)
	return f.state, nil
}

func (f *fake) takeDown(e *Entry) error {
	if strings.Contains(f.stuck, e.Name) {
		return errors.New("stuck")
	}
	f.down = append(f.down, e.Name)
	return nil
}

// set has an object of each importance twice.
func set() []*Entry {
	var entries []*Entry
	for i, importance := range []Importance{Critical, Required, Optional, Required, Optional, Critical} {
		entries = append(entries, &Entry{Source: "10-x.toml", Name: string(rune('a' + i)), Importance: importance})
	}
	return entries
}

func TestOutcomes(t *testing.T) {
	strict := policy.Boot{}
	leave := policy.Boot{OnCriticalFailure: policy.Leave, OnRequiredFailure: policy.Leave}
	for _, c := range []struct {
		about        string
		boot         policy.Boot
		fails        string
		code         int
		loaded, down string
	}{
		{"nothing fails", strict, "", 0, "abcdef", ""},
		{"optional", strict, "c", 30, "abdef", ""},
		{"every optional", leave, "ce", 30, "abdf", ""},
		{"required, take-down", strict, "b", 31, "acdef", "fedca"},
		{"required, leave", leave, "b", 31, "acdef", ""},
		{"required after optional", leave, "cd", 31, "abef", ""},
		{"optional after required", leave, "be", 31, "acdf", ""},
		{"critical ends it", leave, "a", 31, "", ""},
		{"critical ends it and takes down", strict, "f", 31, "abcde", "edcba"},
		{"critical, leave", leave, "f", 31, "abcde", ""},
		{"critical take-down, required leave", policy.Boot{OnRequiredFailure: policy.Leave}, "d", 31, "abcef", ""},
	} {
		m := &fake{fails: c.fails, state: Loaded}
		o := Run(set(), "6.12", c.boot, m.ahead(0))
		for n := 1; n < 8; n++ {
			again := &fake{fails: c.fails, state: Loaded}
			if p := Run(set(), "6.12", c.boot, again.ahead(n)); p.Summary() != o.Summary() || !slices.Equal(again.loaded, m.loaded) || !slices.Equal(again.down, m.down) {
				t.Errorf("%s: %d ahead: %s, loaded %q, down %q", c.about, n, p.Summary(), again.loaded, again.down)
			}
			if again.open != 0 || again.most > n+1 {
				t.Errorf("%s: %d ahead: %d were begun at once, %d were left open", c.about, n, again.most, again.open)
			}
		}
		if o.ExitCode() != c.code || o.Ready() != (c.code != 31) || strings.Join(m.loaded, "") != c.loaded || strings.Join(m.down, "") != c.down {
			t.Errorf("%s: exit %d, ready %v, loaded %q, down %q", c.about, o.ExitCode(), o.Ready(), m.loaded, m.down)
		}
		if (o.Err() != nil) != (c.fails != "") || o.Summary() == "" {
			t.Errorf("%s: %v, %q", c.about, o.Err(), o.Summary())
		}
		for _, r := range o.Results {
			if strings.Contains(c.fails, r.Entry.Name) && r.State != Failed && r.State != NotTried {
				t.Errorf("%s: %s is %v", c.about, r.Entry.Name, r.State)
			}
		}
	}
}

func TestWhatIsNotForThisKernelIsNoFailure(t *testing.T) {
	entries := []*Entry{{Name: "a", Importance: Critical, KernelMin: "7.0"}, {Name: "b"}}
	m := &fake{state: Unchanged}
	o := Run(entries, "6.12", policy.Boot{}, m.ahead(0))
	if o.ExitCode() != 0 || !o.Ready() || !slices.Equal(m.loaded, []string{"b"}) || o.Results[0].State != Skipped {
		t.Errorf("%+v", o)
	}
	if got := o.Summary(); got != "1 of 2 objects loaded, 1 not for this kernel; loaded: b" {
		t.Errorf("%q", got)
	}
}

// What cannot be taken down is told, and is no success.
func TestWhatCannotBeTakenDown(t *testing.T) {
	m := &fake{fails: "f", stuck: "b", state: Replaced}
	o := Run(set(), "6.12", policy.Boot{}, m.ahead(3))
	if o.ExitCode() != ExitFailed || !strings.Contains(o.Err().Error(), "stuck") || strings.Join(m.down, "") != "edca" {
		t.Errorf("%v, %q", o.Err(), m.down)
	}
	if got := o.Summary(); got != "1 of 6 objects loaded; failed: f (critical); taken down again: a, c, d, e; loaded: b" {
		t.Errorf("%q", got)
	}
}

// Whether the machine starts: never unseen after a failure that its policy names,
// and only with every critical object in place (A35).
func TestWhatStopsABoot(t *testing.T) {
	leave := policy.Boot{OnCriticalFailure: policy.Leave, OnRequiredFailure: policy.Leave}
	for _, c := range []struct {
		about                     string
		boot                      policy.Boot
		fails, stuck              string
		required, critical, never bool
	}{
		{"nothing fails", leave, "", "", true, true, true},
		{"optional", leave, "ce", "", true, true, true},
		{"required", leave, "b", "", false, true, true},
		{"critical", leave, "f", "", false, false, true},
		{"the first critical: the second is not tried", leave, "a", "", false, false, true},
		{"required, which takes the critical ones down", policy.Boot{OnCriticalFailure: policy.Leave}, "b", "", false, false, true},
		{"the same, and they cannot be", policy.Boot{OnCriticalFailure: policy.Leave}, "b", "af", false, false, true},
	} {
		o := Run(set(), "6.12", c.boot, (&fake{fails: c.fails, stuck: c.stuck, state: Loaded}).ahead(1))
		for stop, want := range map[policy.StopBoot]bool{policy.StopRequired: c.required, policy.StopCritical: c.critical, policy.StopNever: c.never, 9: c.required} {
			if got := o.GoesOn(stop); got != want {
				t.Errorf("%s, stop-boot %d: goes on %t", c.about, stop, got)
			}
		}
	}
	skipped := []*Entry{{Name: "a", Importance: Critical, KernelMin: "7.0"}, {Name: "b"}}
	if o := Run(skipped, "6.12", leave, (&fake{fails: "b"}).ahead(1)); o.GoesOn(policy.StopRequired) || !o.GoesOn(policy.StopCritical) {
		t.Error("a critical object that is not for this kernel")
	}
}

func TestWords(t *testing.T) {
	if NotTried.String() != "not tried" || State(99).String() != "state(99)" || Critical.String() != "critical" || Importance(9).String() != "importance(9)" {
		t.Error("words")
	}
}
