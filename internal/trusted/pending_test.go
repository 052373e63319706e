//go:build linux

package trusted

import (
	"errors"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/loader"
)

// begun is an object whose load does what bring says.
func begun(s *System, limit time.Duration, bring func(turn func() error) error) *pending {
	p := &pending{
		system: s, entry: &bootset.Entry{Name: "x"}, limit: limit, began: time.Now(), attempt: new(loader.Attempt),
		ready: make(chan struct{}), turn: make(chan bool, 1), done: make(chan outcome, 1),
	}
	go func() {
		err := bring(p.wait)
		p.done <- outcome{state: bootset.Loaded, err: err}
	}()
	return p
}

// Nothing that shows is done before an object's turn, and nothing at all of an
// object whose turn does not come.
func TestNothingShowsBeforeItsTurn(t *testing.T) {
	shown := make(chan bool, 1)
	load := func(turn func() error) error {
		if err := turn(); err != nil {
			return err
		}
		shown <- true
		return nil
	}
	p := begun(&System{}, time.Minute, load)
	<-p.ready
	select {
	case <-shown:
		t.Error("shown before its turn")
	case <-time.After(20 * time.Millisecond):
	}
	if state, _, err := p.finish(); state != bootset.Loaded || err != nil {
		t.Errorf("%v, %v", state, err)
	}
	<-shown
	p = begun(&System{}, time.Minute, load)
	p.drop()
	select {
	case <-shown:
		t.Error("a dropped object was shown")
	default:
	}
}

// A failure before the turn is the object's, in its turn.
func TestFailureBeforeTheTurn(t *testing.T) {
	no := errors.New("no")
	if _, _, err := begun(&System{}, time.Minute, func(func() error) error { return no }).finish(); err != no {
		t.Error(err)
	}
}

// Waiting for others does not count as an object's time, but the end of the time
// for all of them does, and so does a load before it that does not come back.
func TestTimeOfAnObject(t *testing.T) {
	load := func(turn func() error) error { return turn() }
	p := begun(&System{}, 50*time.Millisecond, load)
	<-p.ready
	time.Sleep(60 * time.Millisecond)
	if _, _, err := p.finish(); err != nil {
		t.Errorf("it waited too long for others: %v", err)
	}
	var over *bootset.ExpiredError
	p = begun(&System{deadline: time.Now()}, time.Minute, load)
	if _, _, err := p.finish(); !errors.As(err, &over) {
		t.Errorf("after the time for all: %v", err)
	}
	p = begun(&System{hung: true}, time.Minute, load)
	if _, _, err := p.finish(); !errors.As(err, &over) {
		t.Errorf("after one that hangs: %v", err)
	}
	if p := (&System{deadline: time.Now()}).start(&bootset.Entry{Timeout: time.Minute}); p.limit > 0 {
		t.Error("it is begun after the time for all")
	} else if _, _, err := p.finish(); !errors.As(err, &over) {
		t.Errorf("begun after the time for all: %v", err)
	}
}

// A load that does not come back holds up nobody, before its turn and after it.
func TestHungLoads(t *testing.T) {
	for about, hang := range map[string]func(turn func() error) error{
		"before its turn": func(func() error) error { select {} },
		"in its turn": func(turn func() error) error {
			if err := turn(); err != nil {
				return err
			}
			select {}
		},
	} {
		s := &System{}
		start := time.Now()
		if state, _, err := begun(s, time.Millisecond, hang).finish(); state != bootset.Failed || err == nil || !s.hung {
			t.Errorf("%s: %v, %v", about, state, err)
		}
		if took := time.Since(start); took > 3*grace {
			t.Errorf("%s: it took %v", about, took)
		}
	}
}
