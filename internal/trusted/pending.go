//go:build linux

package trusted

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/loader"
)

// Machine loads a boot set, all of it within a time.
func (s *System) Machine(within time.Duration) bootset.Machine {
	s.deadline = time.Now().Add(within)
	return bootset.Machine{Begin: s.begin, Ahead: s.ahead(), TakeDown: s.TakeDown}
}

// maxAhead bounds how many objects are verified, and have a worker, while
// another one is loaded: loads come one after another, and more would only take
// memory.
const maxAhead = 8

// ahead is one for each processor. Without a worker it is none: then this process
// holds what it knows of the kernel's types, 6 MB for each object.
func (s *System) ahead() int {
	if isolates, err := s.isolates(); err != nil || !isolates {
		return 0
	}
	return min(runtime.NumCPU(), maxAhead)
}

func (s *System) begin(e *bootset.Entry) bootset.Begun {
	p := s.start(e)
	return bootset.Begun{
		Finish: func() (bootset.State, error) {
			state, _, err := p.finish()
			return state, err
		},
		Drop: p.drop,
	}
}

// Report brings an object into its place, if it is not there, and tells what is
// recorded of it. An error means that this object is not in place, or says that
// it is; an older load of the same name stays.
func (s *System) Report(e *bootset.Entry) (bootset.State, *record.Object, error) {
	return s.start(e).finish()
}

// pending is an object on its way. It is verified, and its worker prepared, in a
// goroutine, which then waits until it is the object's turn.
type pending struct {
	system  *System
	entry   *bootset.Entry
	limit   time.Duration // for the object, but for the time that it waits
	began   time.Time
	took    time.Duration // until it was ready
	attempt *loader.Attempt
	ready   chan struct{} // closed when it waits for its turn
	turn    chan bool     // whether it goes on
	done    chan outcome
}

type outcome struct {
	state  bootset.State
	record *record.Object
	err    error
}

// errDropped ends a load whose turn does not come.
var errDropped = errors.New("its turn did not come")

// start begins to bring an object into its place.
func (s *System) start(e *bootset.Entry) *pending {
	p := &pending{
		system: s, entry: e, limit: s.left(e.Timeout), began: time.Now(), attempt: new(loader.Attempt),
		ready: make(chan struct{}), turn: make(chan bool, 1), done: make(chan outcome, 1),
	}
	if p.limit <= 0 {
		p.done <- outcome{err: expired()}
		return p
	}
	go func() {
		state, object, err := s.bring(e, p.limit, p.attempt, p.wait)
		p.done <- outcome{state, object, err}
	}()
	return p
}

// left is what is left of a time before all of it is over.
func (s *System) left(limit time.Duration) time.Duration {
	if s.deadline.IsZero() {
		return limit
	}
	return min(limit, time.Until(s.deadline))
}

func expired() error { return fail(codeFailed, "timeout", &bootset.ExpiredError{}) }

// wait comes back when it is the object's turn.
func (p *pending) wait() error {
	p.took = time.Since(p.began)
	close(p.ready)
	if !<-p.turn {
		return errDropped
	}
	return nil
}

// finish gives the object its turn, and waits for its end, both within its time.
// A load that does not come back is given up: what it has not published by then
// goes with the process, which ends soon.
func (p *pending) finish() (bootset.State, *record.Object, error) {
	s := p.system
	if s.hung {
		p.turn <- false
		return bootset.Failed, nil, expired()
	}
	o, isReady, ended := p.await(p.ready, time.Until(p.began.Add(p.limit)))
	if isReady {
		left := s.left(p.limit - p.took)
		p.turn <- left > 0
		if o, _, ended = p.await(nil, left); ended && o.err == errDropped {
			o.err = expired()
		}
	}
	if !ended {
		s.hung = true
		return bootset.Failed, nil, s.giveUp(p.entry, p.attempt, p.limit)
	}
	return o.state, o.record, o.err
}

// await waits until the object is ready or has come to its end, but no longer
// than so long and the time to clean up.
func (p *pending) await(ready <-chan struct{}, limit time.Duration) (o outcome, isReady, ended bool) {
	timer := time.NewTimer(limit + grace)
	defer timer.Stop()
	for over := false; ; {
		select { // what has happened counts, even if the time is over
		case o := <-p.done:
			return o, false, true
		case <-ready:
			return o, true, false
		default:
		}
		if over {
			return o, false, false
		}
		select {
		case o := <-p.done:
			return o, false, true
		case <-ready:
			return o, true, false
		case <-timer.C:
			over = true
		}
	}
}

// drop gives the object up before its turn, and waits until its worker is gone.
func (p *pending) drop() {
	p.turn <- false
	p.await(nil, 0)
}

// giveUp is the end of a load that does not come back: it shows nothing any more,
// and what it has shown is taken down, unless that would leave nothing in the
// place of what was there.
func (s *System) giveUp(e *bootset.Entry, attempt *loader.Attempt, limit time.Duration) error {
	err := fmt.Errorf("it was not loaded within %v", limit.Round(time.Millisecond))
	switch attempt.GiveUp() {
	case loader.New:
		if e.Name == "" {
			err = fmt.Errorf("%w, and may be in its place", err) // only its file says what it is
		} else {
			err = errors.Join(err, s.TakeDown(e))
		}
	case loader.Successor:
		err = fmt.Errorf("%w, but is in place of what was there", err)
	}
	return fail(codeFailed, "timeout", err)
}
