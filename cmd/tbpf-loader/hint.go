//go:build linux

package main

import (
	"errors"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// hintOf is what an error advises.
func hintOf(err error) string {
	if refused, ok := errors.AsType[*verify.Error](err); ok {
		return hintFor(refused)
	}
	if failed, ok := errors.AsType[*loader.Error](err); ok {
		return failed.Hint
	}
	if failed, ok := errors.AsType[*gate.Error](err); ok {
		return failed.Hint
	}
	return ""
}

// hintFor gives the advice of package verify in this command's terms: it has no
// flags about trust.
func hintFor(e *verify.Error) string {
	switch e.Reason {
	case verify.NoTrustedSigner:
		return "put the signer's certificate or public key into /etc/tbpf/keyring.d, if this machine shall trust it"
	case verify.NoSeal:
		return "sign it with tbpf sign, or name its detached seal in the boot set"
	default:
		return e.Hint
	}
}
