package bootset

import (
	"errors"
	"fmt"
	"strings"

	"github.com/trustedbpf/tbpf/internal/policy"
)

// State is what became of an object.
type State uint8

// States.
const (
	Failed    State = iota
	Loaded          // it is in place, and was not before
	Replaced        // it is in place of an older or other load of the same name
	Unchanged       // it was in place already
	Skipped         // it is not for this kernel
	NotTried        // the set ended before it
)

// String is the state in words.
func (s State) String() string {
	names := [...]string{"failed", "loaded", "replaced", "unchanged", "skipped", "not tried"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// inPlace reports whether the object works now.
func (s State) inPlace() bool { return s == Loaded || s == Replaced || s == Unchanged }

// Machine loads objects.
type Machine struct {
	// Begin begins to bring an object into its place, and comes back at once:
	// what nobody else can see is done while others are loaded.
	Begin func(*Entry) Begun
	// Ahead is how many objects may be begun besides the one that is loaded.
	Ahead int
	// TakeDown takes an object down again.
	TakeDown func(*Entry) error
}

// Begun is an object on its way. One of the two is called, once.
type Begun struct {
	// Finish brings it into its place: it is this object's turn. An error means
	// that it is not there; an older load of it then still is.
	Finish func() (State, error)
	// Drop gives it up. Nothing of it is left, and nobody saw any of it.
	Drop func()
}

// Result is what became of one object.
type Result struct {
	Entry *Entry
	State State
	Err   error // why it failed, or could not be taken down
	Down  bool  // it was in place, and was taken down because another failed
}

// Outcome is how a run ended.
type Outcome struct {
	Results []Result // in the order of the set
}

// Exit codes of a run.
const (
	ExitOptionalFailed = 30
	ExitFailed         = 31
)

// ExpiredError is returned by a Machine whose time for the whole set is over.
// What is not loaded then has failed.
type ExpiredError struct{}

func (*ExpiredError) Error() string { return "the time for the boot set is over" }

// Run loads a set in order, for a kernel of the given release. What shows comes
// in that order, and the result is the same, whatever m does ahead.
func Run(set []*Entry, release string, boot policy.Boot, m Machine) *Outcome {
	o := &Outcome{Results: make([]Result, len(set))}
	begun := make([]Begun, len(set))
	next := 0 // the first that is not begun
	ended := false
	for i, e := range set {
		for ; !ended && next < len(set) && next <= i+m.Ahead; next++ {
			if set[next].For(release) {
				begun[next] = m.Begin(set[next])
			}
		}
		r := &o.Results[i]
		r.Entry = e
		switch {
		case ended:
			r.State = NotTried
		case !e.For(release):
			r.State = Skipped
		default:
			r.State, r.Err = begun[i].Finish()
			if r.Err != nil {
				r.State = Failed
			}
			if ended = r.State == Failed && e.Importance == Critical; ended {
				drop(begun[i+1 : next])
			}
		}
	}
	if o.takesDown(boot) {
		o.takeDown(m)
	}
	return o
}

func drop(begun []Begun) {
	for _, b := range begun {
		if b.Drop != nil {
			b.Drop()
		}
	}
}

// takesDown reports whether a failure takes the others down.
func (o *Outcome) takesDown(boot policy.Boot) bool {
	for _, r := range o.Results {
		if r.State != Failed {
			continue
		}
		if r.Entry.Importance == Critical && boot.OnCriticalFailure == policy.TakeDown ||
			r.Entry.Importance == Required && boot.OnRequiredFailure == policy.TakeDown {
			return true
		}
	}
	return false
}

// takeDown takes down what is in place, the last first.
func (o *Outcome) takeDown(m Machine) {
	for i := len(o.Results) - 1; i >= 0; i-- {
		r := &o.Results[i]
		if !r.State.inPlace() {
			continue
		}
		if r.Err = m.TakeDown(r.Entry); r.Err == nil {
			r.Down = true
		}
	}
}

// ExitCode is the exit code of a process that ends with the run.
func (o *Outcome) ExitCode() int {
	code := 0
	for _, r := range o.Results {
		switch {
		case r.State == Skipped || r.State.inPlace() && !r.Down && r.Err == nil:
		case r.State == Failed && r.Entry.Importance == Optional && code == 0:
			code = ExitOptionalFailed
		case r.State == Failed && r.Entry.Importance == Optional:
		default:
			return ExitFailed
		}
	}
	return code
}

// Ready reports whether the machine may say that its boot set is up.
func (o *Outcome) Ready() bool { return o.ExitCode() != ExitFailed }

// GoesOn reports whether the machine may start, as its policy has it.
func (o *Outcome) GoesOn(stop policy.StopBoot) bool {
	switch {
	case o.Ready() || stop == policy.StopNever:
		return true
	case stop != policy.StopCritical:
		return false
	}
	for _, r := range o.Results {
		if r.Entry.Importance == Critical && r.State != Skipped && (!r.State.inPlace() || r.Down || r.Err != nil) {
			return false // it failed, or was taken down for another
		}
	}
	return true
}

// Err joins what went wrong, an error for each object.
func (o *Outcome) Err() error {
	var errs []error
	for _, r := range o.Results {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: %w", r.Entry.Source, r.Entry.Name, r.Err))
		}
	}
	return errors.Join(errs...)
}

// Summary says in one line what became of the set, what went wrong first: a
// service manager shows only so much.
func (o *Outcome) Summary() string {
	var in, failed, down, untried []string
	skipped := 0
	for _, r := range o.Results {
		switch {
		case r.Down:
			down = append(down, r.Entry.Name)
		case r.State.inPlace():
			in = append(in, r.Entry.Name)
		case r.State == Skipped:
			skipped++
		case r.State == NotTried:
			untried = append(untried, r.Entry.Name)
		default:
			failed = append(failed, fmt.Sprintf("%s (%v)", r.Entry.Name, r.Entry.Importance))
		}
	}
	text := fmt.Sprintf("%d of %d objects loaded", len(in), len(o.Results))
	if skipped > 0 {
		text += fmt.Sprintf(", %d not for this kernel", skipped)
	}
	for _, part := range []struct {
		what  string
		names []string
	}{{"failed", failed}, {"not tried", untried}, {"taken down again", down}, {"loaded", in}} {
		if len(part.names) > 0 {
			text += "; " + part.what + ": " + strings.Join(part.names, ", ")
		}
	}
	return text
}
