package main

import (
	"errors"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/procconfig"
	"github.com/trustedbpf/tbpf/internal/trusted"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

// readMachinePolicy reads the machine's policy as tbpf-loader does: only root
// can have written it. None is an fs.ErrNotExist.
func readMachinePolicy() (*policy.Policy, error) {
	p, err := trusted.ReadPolicy()
	var refused *trusted.Error
	if errors.As(err, &refused) {
		return nil, &policyError{refused.Reason, refused.Error()}
	}
	return p, err
}

// readMachineKeyring reads the machine's keyring likewise.
func readMachineKeyring() (*keys.Keyring, error) {
	return trusted.ReadKeyring(keys.SystemDirs())
}

// readMachineRevocations reads the machine's revocation lists likewise.
func readMachineRevocations() ([]verify.RevocationFile, error) {
	return trusted.ReadRevocations(trusted.RevokedDir)
}

// kernelConfig is the configuration that the kernel has of itself.
func kernelConfig() ([]byte, error) { return procconfig.Read() }
