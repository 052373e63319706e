package gate

import "time"

// After returns the events after the one with this number that are still in the
// ring, oldest first, and how many of them are not: overwritten, or just being
// written. last is the number of the newest that it looked for: the next call
// goes on from there.
func (s *State) After(sequence uint64) (events []Event, missed, last uint64, err error) {
	last, err = s.Last()
	if err != nil || last <= sequence {
		return nil, 0, max(last, sequence), err
	}
	first := sequence + 1
	if last-sequence > Events {
		first = last - Events + 1
	}
	missed = first - sequence - 1
	for n := first; n <= last; n++ {
		e, ok, err := s.Event(n)
		if err == nil && !ok && n == last { // most likely it is being written
			time.Sleep(time.Millisecond)
			e, ok, err = s.Event(n)
		}
		if err != nil {
			return nil, 0, sequence, err
		}
		if !ok {
			missed++
			continue
		}
		events = append(events, e)
	}
	return events, missed, last, nil
}
