package main

import (
	"errors"
	"io/fs"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// hinted is an error with the advice that fits just here.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

func withHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

// hint is what a person can do about an error; empty if that is plain from
// its text.
func hint(err error) string {
	var usage *usageError
	var key *signer.Error
	var refused *verify.Error
	var notLoaded *loader.Error
	var own *hinted
	var notOn *gate.Error
	switch {
	case errors.As(err, &own):
		return own.hint
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &notOn):
		return notOn.Hint
	case errors.As(err, &key):
		return key.Hint
	case errors.As(err, &refused):
		return refused.Hint
	case errors.As(err, &notLoaded):
		if notLoaded.Hint == "" && notLoaded.Reason == "pin-failed" && errors.Is(err, fs.ErrNotExist) {
			return "mount -t bpf bpf /sys/fs/bpf, and pin beneath it"
		}
		return notLoaded.Hint
	case errors.Is(err, fs.ErrExist):
		return "--force replaces it"
	}
	return ""
}
