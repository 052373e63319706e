package gate

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// State is a gate as it is in the kernel.
type State struct {
	Mode     Mode
	Keyrings []string // system keyrings that may verify
	Serials  []int32  // user keyrings that may verify
	Gone     []int32  // those of them that are gone: nothing that they verified passes
	Loader   FileID
	Program  uint32 // id of the program that sees bpf(2)
	Events   uint64 // number of the last event
	bpffs    uint32 // device of its pins
	maps     map[string]*bpfsys.FD
}

// Find finds the gate by what is in the kernel, nil if there is none. It needs
// CAP_SYS_ADMIN.
func Find() (*State, error) {
	ids, err := bpfsys.ProgramIDs()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		s, err := stateOf(id)
		if errors.Is(err, unix.ENOENT) {
			continue // it went meanwhile
		}
		if err != nil || s != nil {
			return s, err
		}
	}
	return nil, nil
}

// stateOf is the gate that a program belongs to, nil if it is of none.
func stateOf(id uint32) (s *State, err error) {
	prog, err := bpfsys.OpenProgram(id)
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	info, err := bpfsys.GetProgramInfo(prog)
	if err != nil || info.Type != bpfabi.ProgramLSM || info.Name != programName {
		return nil, err
	}
	s = &State{Program: id, maps: make(map[string]*bpfsys.FD)}
	defer func() {
		if err != nil {
			err, s = errors.Join(err, s.Close()), nil
		}
	}()
	for _, id := range info.MapIDs {
		m, err := bpfsys.OpenMap(id)
		if err != nil {
			return s, err
		}
		info, err := bpfsys.GetMapInfo(m)
		if err != nil {
			return s, errors.Join(err, m.Close())
		}
		if s.maps[info.Name] != nil {
			return s, errors.Join(fmt.Errorf("it has two maps %s", info.Name), m.Close())
		}
		s.maps[info.Name] = m
	}
	return s, s.read()
}

func (s *State) read() error {
	b := make([]byte, configSize)
	if err := s.lookup(MapConfig, 0, b); err != nil {
		return err
	}
	c, ok := decodeConfig(b)
	if !ok {
		return errors.New("its settings are none that this version writes")
	}
	b = make([]byte, stateSize)
	if err := s.lookup(MapState, 0, b); err != nil {
		return err
	}
	m, ok := decodeMemory(b)
	if !ok {
		return errors.New("its state is none that this version reads")
	}
	s.Mode, s.Loader, s.Events, s.bpffs = c.mode, c.binary, m.events, c.bpffs
	if c.test != 0 {
		s.Mode = NotArmed
	}
	for i, name := range []string{"builtin", "secondary", "platform"} {
		if c.keyrings&(2<<i) != 0 {
			s.Keyrings = append(s.Keyrings, name)
		}
	}
	for i, serial := range c.serials {
		if serial == 0 {
			continue
		}
		s.Serials = append(s.Serials, serial)
		if m.dead&(1<<i) != 0 {
			s.Gone = append(s.Gone, serial)
		}
	}
	return nil
}

// lookup reads an entry of an array whose values have the length of b.
func (s *State) lookup(name string, i uint32, b []byte) error {
	m := s.maps[name]
	if m == nil {
		return fmt.Errorf("it has no map %s", name)
	}
	info, err := bpfsys.GetMapInfo(m)
	if err != nil {
		return err
	}
	if int(info.ValueSize) != len(b) || info.Type != bpfabi.MapArray {
		return fmt.Errorf("its map %s is another one", name)
	}
	return bpfsys.LookupElem(m, []byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}, b)
}

// Count is how often the gate decided so for this reason.
func (s *State) Count(d Decision, r Reason) (uint64, error) {
	m := s.maps[MapCounters]
	if m == nil {
		return 0, errors.New("it has no counters")
	}
	return readCounter(m, Counter(d, r))
}

// Event reads the event with a number. It reports false if it is not there:
// overwritten, or just being written.
func (s *State) Event(sequence uint64) (Event, bool, error) {
	b := make([]byte, EventSize)
	if err := s.lookup(MapEvents, Slot(sequence), b); err != nil {
		return Event{}, false, err
	}
	e, ok := DecodeEvent(b, sequence)
	return e, ok, nil
}

// Last is the number of the last event.
func (s *State) Last() (uint64, error) {
	b := make([]byte, stateSize)
	if err := s.lookup(MapState, 0, b); err != nil {
		return 0, err
	}
	m, _ := decodeMemory(b)
	return m.events, nil
}

// Close closes what Find opened.
func (s *State) Close() error {
	var errs []error
	for _, m := range s.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
