//go:build !linux

package main

import (
	"errors"

	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

var errOnlyLinux = errors.New("BPF objects are loaded on Linux only")

func readMachinePolicy() (*policy.Policy, error) { return nil, errOnlyLinux }

func readMachineKeyring() (*keys.Keyring, error) { return nil, errOnlyLinux }

func readMachineRevocations() ([]verify.RevocationFile, error) { return nil, errOnlyLinux }

func kernelConfig() ([]byte, error) { return nil, errOnlyLinux }
