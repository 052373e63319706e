package loader

import (
	"errors"
	"testing"
	"time"
)

// A load that was given up shows nothing, even if it comes back later (A31).
func TestAGivenUpLoadShowsNothing(t *testing.T) {
	dir := newBPFFS(t)
	a := new(Attempt)
	if got := a.GiveUp(); got != Nothing {
		t.Errorf("it has shown %d", got)
	}
	_, err := loadMini(t, newMini(), Options{Pin: dir, Attempt: a})
	mustRefuse(t, err, Failed, "pin-failed")
	if !errors.Is(err, errGivenUp) {
		t.Errorf("%v", err)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("there is %q", left)
	}
}

// What hangs while it holds the pin directory does not keep the rest from being
// taken down.
func TestGivingUpLetsOthersIn(t *testing.T) {
	dir := newBPFFS(t)
	a := new(Attempt)
	err := onOtherThread(func() error {
		s, err := newStage(dir, "mini", false)
		if err != nil {
			return err
		}
		s.watch(a)
		other, _, err := openPinDir(dir, false)
		if err != nil {
			return err
		}
		if lock(other, time.Millisecond) == nil {
			t.Error("two hold the pin directory")
		}
		a.GiveUp()
		if err := lock(other, time.Millisecond); err != nil {
			t.Errorf("after it was given up: %v", err)
		}
		return errors.Join(other.Close(), s.close())
	})
	if err != nil {
		t.Error(err)
	}
	a.GiveUp() // the stage is gone, and so is its descriptor
}

// What a load has shown by the time it is given up is told.
func TestAnAttemptTellsWhatItShowed(t *testing.T) {
	dir := newBPFFS(t)
	for _, want := range []Published{New, Successor} {
		a := new(Attempt)
		l, err := loadMini(t, newMini(), Options{Pin: dir, Replace: true, Attempt: a})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if got := a.GiveUp(); got != want {
			t.Errorf("it has shown %d, want %d", got, want)
		}
	}
}
