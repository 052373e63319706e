//go:build linux

package trusted

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/internal/trustpath"
	"github.com/trustedbpf/tbpf/verify"
)

// maxLists bounds the number of revocation lists.
const maxLists = 16

// verifyOptions are the machine's own rules.
func (s *System) verifyOptions() verify.Options {
	return verify.Options{Keyring: s.keyring, Policy: s.policy, Now: s.now, Floor: s.floor, Revocations: s.revoked}
}

// noteRevocations takes over the machine's revocation lists, and remembers their
// serial numbers before anything is loaded: from now on no older list is taken.
// What is wrong with a list refuses every object, when it is verified.
func (s *System) noteRevocations(files []verify.RevocationFile) error {
	s.revoked = verify.ReadRevocations(files, s.verifyOptions())
	changed := false
	for _, seen := range s.revoked.Seen() {
		changed = s.floor.note(seen) || changed
	}
	if !changed {
		return nil
	}
	if err := s.writeFloor(); err != nil {
		return fail(codeFailed, "floor-not-raised", fmt.Errorf("the serial numbers of revocation lists cannot be kept: %w", err))
	}
	return nil
}

// ReadRevocations reads every file of the directory, if there is one. A file
// that is no list is not passed over: it may be one under a wrong name.
func ReadRevocations(path string) ([]verify.RevocationFile, error) {
	dir, err := trustpath.OpenDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Names()
	if err != nil {
		return nil, err
	}
	var files []verify.RevocationFile
	for _, name := range names {
		if name[0] == '.' {
			continue
		}
		if len(files) == maxLists {
			return nil, fmt.Errorf("%s has more than %d lists", path, maxLists)
		}
		data, err := dir.ReadFile(name, revocation.MaxSize)
		if err != nil {
			return nil, err
		}
		files = append(files, verify.RevocationFile{Path: path + "/" + name, Data: data})
	}
	return files, nil
}
