package loader

import (
	"errors"
	"sync"
)

// Attempt is a load that its caller may give up: one that does not come back
// holds up nobody, and shows nothing once it has been given up. The zero value is
// for one load.
type Attempt struct {
	mu        sync.Mutex
	givenUp   bool
	published Published
	unlock    func() // lets others into the pin directory
}

// Published is what of an attempt is there to be seen.
type Published uint8

// Values of Published.
const (
	Nothing   Published = iota
	New                 // the object is in its place, or about to be
	Successor           // so it is, in place of another
)

// errGivenUp says that nobody waits for the load any more.
var errGivenUp = errors.New("it took too long, and was given up")

// GiveUp has the load show nothing from now on, lets others use its pin directory,
// and says what it has shown.
func (a *Attempt) GiveUp() Published {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.givenUp = true
	if a.unlock != nil {
		a.unlock()
	}
	return a.published
}

// holds says how the pin directory is given to others; nil: it is.
func (a *Attempt) holds(unlock func()) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unlock = unlock
}

// publish allows the pins to be shown, unless the load was given up.
func (a *Attempt) publish(as Published) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.givenUp {
		return errGivenUp
	}
	a.published = as
	return nil
}
