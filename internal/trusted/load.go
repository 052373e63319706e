//go:build linux

package trusted

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/internal/trustpath"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// maxFile bounds a sealed object and a detached seal, in bytes.
const maxFile = 128 << 20

// grace is how much longer than its time a load may take to clean up after
// itself, before the process gives it up.
const grace = 3 * time.Second

// takeDownTime is how long it may take to take one object down.
const takeDownTime = 10 * time.Second

// bring reads, verifies and loads. It does nothing that anybody else sees before
// turn says so.
func (s *System) bring(e *bootset.Entry, limit time.Duration, attempt *loader.Attempt, turn func() error) (bootset.State, *record.Object, error) {
	v, err := s.verify(e)
	if err != nil {
		return bootset.Failed, nil, err
	}
	opt, err := s.options()
	if err != nil {
		return bootset.Failed, nil, err
	}
	opt.Pin, opt.Attach, opt.Set, opt.Timeout = filepath.Join(bpffs, e.Pin), e.Attach, e.Set, limit
	opt.Attempt, opt.Turn = attempt, turn
	next, err := s.newRecord(e, v, opt.Pin)
	if err != nil {
		return bootset.Failed, nil, err
	}
	there, inPlace, err := s.recorded(next, v, opt)
	if err != nil {
		return bootset.Failed, nil, err
	}
	if there != nil {
		if err := turn(); err != nil {
			return bootset.Failed, nil, err
		}
		// The same in the kernel: what is said of it may have changed.
		next.Profile, next.KernelVerified, next.Token = there.Profile, there.KernelVerified, there.Token
		next.Keyring, next.Serial = there.Keyring, there.Serial
		next.Programs, next.Maps, next.Links = there.Programs, there.Maps, there.Links
		return bootset.Unchanged, next, s.remember(next, v)
	}
	elsewhere, err := s.elsewhere(next)
	if err != nil {
		return bootset.Failed, nil, err
	}
	if elsewhere != "" {
		if err := loader.CheckMoved(v.Manifest()); err != nil {
			return bootset.Failed, nil, err
		}
	}
	if !opt.Isolate {
		// What the last load read of the kernel's types goes first: without a
		// worker this process has them itself, 6 MB each time.
		debug.FreeOSMemory()
	}
	loaded, err := loader.Load(v, opt)
	if err != nil {
		return bootset.Failed, nil, err
	}
	report := loaded.Report()
	if report.KernelVerified {
		next.Keyring, next.Serial = s.ringName(loaded.KeyringID())
	}
	err = errors.Join(fill(next, &report), loaded.Close()) // pinned: it does not need us
	if err == nil {
		err = s.remember(next, v)
	}
	switch {
	case err == nil:
	case inPlace:
		return bootset.Failed, nil, fmt.Errorf("it is in place of what was there, but %w", err)
	default:
		return bootset.Failed, nil, errors.Join(err, s.remove(opt.Pin, next.Name))
	}
	if elsewhere != "" {
		if err := s.unload(elsewhere, next.Name); err != nil {
			return bootset.Failed, nil, fmt.Errorf("it is in its new place, but not gone from %s: %w", elsewhere, err)
		}
	}
	if inPlace || elsewhere != "" {
		return bootset.Replaced, next, nil
	}
	return bootset.Loaded, next, nil
}

// elsewhere is the pin directory in which the object was recorded in this boot,
// if that is another one than it belongs in now.
func (s *System) elsewhere(want *record.Object) (string, error) {
	have, err := s.store.Read(want.Name)
	_, malformed := errors.AsType[*record.Error](err)
	switch {
	case malformed:
		return "", nil
	case err != nil:
		return "", fail(codeFailed, "record", err)
	case have == nil || have.Boot != s.boot || have.Pins == want.Pins:
		return "", nil
	}
	return filepath.Dir(have.Pins), nil
}

// verify reads an object once and verifies it by the machine's own rules.
func (s *System) verify(e *bootset.Entry) (*verify.Verified, error) {
	file, err := trustpath.ReadFile(e.File, maxFile)
	if err != nil {
		return nil, fail(codeFailed, "file-not-trusted", err)
	}
	opt := s.verifyOptions()
	if e.Seal != "" {
		if opt.Seal, err = trustpath.ReadFile(e.Seal, maxFile); err != nil {
			return nil, fail(codeFailed, "file-not-trusted", err)
		}
	}
	v, err := verify.Bytes(file, opt)
	if err != nil {
		return nil, s.byTheFloor(err)
	}
	if name := v.Manifest().Name; e.Name != "" && name != e.Name {
		return nil, fail(codePolicy, "wrong-name", fmt.Errorf("the object in it is %q and not %q", name, e.Name))
	}
	return v, nil
}

// byTheFloor says of something out of date when the time is not the clock's.
func (s *System) byTheFloor(err error) error {
	refused, ok := errors.AsType[*verify.Error](err)
	if !ok || refused.ExitCode() != 13 || !s.now.Equal(s.floor.time()) {
		return err
	}
	return fmt.Errorf("%w (the time is that of the rollback floor, %s, which the clock is not past)", err, s.now.Format(time.RFC3339))
}

// remember raises the floor and writes the record of what is in place.
func (s *System) remember(o *record.Object, v *verify.Verified) error {
	if err := s.raise(o.Name, signerIDs(v), o.Version); err != nil {
		return fail(codeFailed, "floor-not-raised", fmt.Errorf("the rollback floor cannot be raised: %w", err))
	}
	if err := s.store.Write(o); err != nil {
		return fail(codeFailed, "record", fmt.Errorf("it cannot be recorded: %w", err))
	}
	return nil
}

// TakeDown takes an object down, if it is there, and forgets it. It comes back in time, too, whatever hangs.
func (s *System) TakeDown(e *bootset.Entry) error {
	done := make(chan error, 1)
	go func() { done <- s.remove(filepath.Join(bpffs, e.Pin), e.Name) }()
	timer := time.NewTimer(takeDownTime)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fail(codeFailed, "timeout", fmt.Errorf("it was not taken down within %v", takeDownTime))
	}
}

// remove takes an object down and forgets it.
func (s *System) remove(pinDir, name string) error {
	if err := s.unload(pinDir, name); err != nil {
		return err
	}
	return s.store.Remove(name)
}

// unload takes an object down, if it is there.
func (s *System) unload(pinDir, name string) error {
	err := loader.Unload(pinDir, name)
	if refused, ok := errors.AsType[*loader.Error](err); ok && refused.Reason == "not-loaded" {
		return nil
	}
	return err
}

func signerIDs(v *verify.Verified) []keys.ID {
	var ids []keys.ID
	for _, signer := range v.Signers() {
		ids = append(ids, signer.Account())
	}
	return ids
}
