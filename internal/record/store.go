//go:build linux

package record

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/trustpath"
)

// Path is the directory of the records. It is in memory and ends with the boot.
const Path = "/run/tbpf"

// suffix ends the names of records.
const suffix = ".record"

// Store holds the records of a machine.
type Store struct{ dir *trustpath.Dir }

// Make opens the machine's store for writing, makes it if it is missing, and
// keeps other writers out until Close.
func Make() (*Store, error) {
	dir, err := trustpath.MakeDir(Path)
	if err != nil {
		return nil, err
	}
	if err := dir.Lock(); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &Store{dir}, nil
}

// Open opens the machine's store for reading. It returns an error that is
// fs.ErrNotExist where nothing was recorded since the machine started.
func Open() (*Store, error) {
	dir, err := trustpath.OpenDir(Path)
	if err != nil {
		return nil, err
	}
	return &Store{dir}, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.dir.Close() }

// Names lists the objects of which there are records, sorted.
func (s *Store) Names() ([]string, error) {
	files, err := s.dir.Names()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if name, ok := strings.CutSuffix(file, suffix); ok && manifest.CheckName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// Read reads the record of an object, nil if there is none.
func (s *Store) Read(name string) (*Object, error) {
	if err := manifest.CheckName(name); err != nil {
		return nil, &Error{err.Error()}
	}
	data, err := s.dir.ReadFile(name+suffix, MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := Decode(data)
	if err == nil && o.Name != name {
		err = &Error{"it is the record of another object"}
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Write writes the record of an object.
func (s *Store) Write(o *Object) error {
	if err := manifest.CheckName(o.Name); err != nil {
		return &Error{err.Error()}
	}
	return s.dir.WriteFile(o.Name+suffix, o.Encode())
}

// Remove removes the record of an object, if there is one.
func (s *Store) Remove(name string) error {
	if err := manifest.CheckName(name); err != nil {
		return &Error{err.Error()}
	}
	return s.dir.Remove(name + suffix)
}

// RingFile is the record of the boot's keyring, in the same directory.
const RingFile = "boot.keyring"

// ReadRing reads the record of the boot's keyring, nil if there is none.
func (s *Store) ReadRing() (*Ring, error) {
	data, err := s.dir.ReadFile(RingFile, MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return DecodeRing(data)
}

// WriteRing writes the record of the boot's keyring.
func (s *Store) WriteRing(r *Ring) error { return s.dir.WriteFile(RingFile, r.Encode()) }
