package main

import (
	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/verify"
)

// readFloor has the rollback floor in a file count. There is no floor that is
// missing or cannot be read: both are errors.
func (a *app) readFloor(path string, opt *verify.Options) error {
	data, err := a.readInput(path, floor.MaxSize)
	if err != nil {
		return err
	}
	state, err := floor.Decode(data)
	if err != nil {
		return forFile(path, err)
	}
	opt.Floor = state
	if opt.Now.Before(state.Time) {
		opt.Now = state.Time
	}
	return nil
}
