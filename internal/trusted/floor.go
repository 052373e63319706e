//go:build linux

package trusted

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/internal/trustpath"
	"github.com/trustedbpf/tbpf/keys"
)

// held is the floor, against which objects are verified while another one
// raises it.
type held struct {
	mu    sync.Mutex
	state *floor.State
}

// Least implements verify.Floor.
func (h *held) Least(name string, signers []keys.ID) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Least(name, signers)
}

// Seen implements verify.Floor.
func (h *held) Seen() []revocation.Seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Seen()
}

// time is the latest time that was remembered.
func (h *held) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Time
}

func (h *held) raise(name string, signers []keys.ID, version uint64) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Raise(name, signers, version)
}

func (h *held) note(list revocation.Seen) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Note(list)
}

// encode is the floor as it is kept, at a time that is not before now.
func (h *held) encode(now time.Time) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state.Time.Before(now) {
		h.state.Time = now
	}
	return h.state.Encode()
}

// readFloor reads the rollback floor. What cannot be read is no first boot.
func (s *System) readFloor() error {
	const path = floorDir + "/" + floorFile
	data, err := trustpath.ReadFile(path, floor.MaxSize)
	s.floorFile = sha256.Sum256(data) // of none, where there is no file
	switch {
	case err == nil:
		state, err := floor.Decode(data)
		if err != nil {
			return fail(codeRollback, "floor-damaged", fmt.Errorf("%s: %w", path, err))
		}
		s.floor = &held{state: state}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fail(codeRollback, "floor-not-trusted", err)
	case s.policy.Floor == policy.FloorRequired:
		return fail(codeRollback, "no-floor", fmt.Errorf("the policy requires a rollback floor: %w", err))
	}
	s.floor = &held{state: &floor.State{}}
	return nil
}

// raise remembers that a version was loaded.
func (s *System) raise(name string, signers []keys.ID, version uint64) error {
	if !s.floor.raise(name, signers, version) {
		return nil
	}
	return s.writeFloor()
}

func (s *System) writeFloor() error {
	dir, err := trustpath.MakeDir(floorDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Lock(); err != nil {
		return err
	}
	data := s.floor.encode(s.now)
	digest := sha256.Sum256(data)
	if err := gate.TellNext(digest); err != nil {
		return err
	}
	if err := dir.WriteFile(floorFile, data); err != nil {
		return err
	}
	if err := gate.TellWritten(digest); err != nil {
		return err
	}
	s.floorFile = digest
	return nil
}
