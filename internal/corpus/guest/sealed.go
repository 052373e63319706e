//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/corpus"
	"github.com/trustedbpf/tbpf/internal/identity"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// sealedLoader loads what tbpf sealed, and sees that nothing of it stays.
func sealedLoader(dir, certificate string) (loadFunc, error) {
	keyring, err := keys.LoadKeyring([]string{filepath.Join(dir, certificate)})
	if err != nil {
		return nil, err
	}
	symbols, err := identity.ReadSymbols()
	if err != nil {
		return nil, err
	}
	return func(task corpus.Task) (tried corpus.Tried, err error) {
		if task.Sealed == "" {
			return tried, nil
		}
		object, err := os.ReadFile(filepath.Join(dir, task.Object))
		if err != nil {
			return tried, err
		}
		// What is loaded sealed is held against what is loaded bare.
		same := &comparison{symbols: symbols}
		loadBare(object, same)
		if err := nothingIsLeft(); err != nil {
			return tried, fmt.Errorf("bare: %w", err)
		}
		tried.Sealed, tried.Kernel, err = loadFile(filepath.Join(dir, task.Sealed), keyring, same)
		tried.Identity = same.answer()
		if err != nil || tried.Took() || task.Without == "" {
			return tried, err
		}
		without, profile, err := loadFile(filepath.Join(dir, task.Without), keyring, &comparison{symbols: symbols})
		if without == corpus.Loaded {
			tried.Sealed, tried.Kernel = corpus.WithoutOptional+tried.Sealed, profile
		}
		return tried, err
	}, nil
}

// loadFile loads a sealed object and sees that nothing of it stays.
func loadFile(path string, keyring *keys.Keyring, same *comparison) (outcome, profile string, err error) {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	outcome, profile = loadSealed(sealed, keyring, same)
	if err := nothingIsLeft(); err != nil {
		return "", "", fmt.Errorf("%w (%s)", err, outcome)
	}
	return outcome, profile, nil
}

// loadSealed verifies and loads. The profile is named where the kernel
// verified, too.
func loadSealed(sealed []byte, keyring *keys.Keyring, same *comparison) (outcome, profile string) {
	verified, err := verify.Bytes(sealed, verify.Options{Keyring: keyring})
	if err != nil {
		return short(err), ""
	}
	loaded, err := loader.Load(verified, loader.Options{Trusted: keyring, KernelVerify: loader.IfAvailable})
	var refusal *loader.Error
	switch {
	case errors.As(err, &refusal) && refusal.Stage == "attach program":
		return corpus.Unattached + short(err), ""
	case errors.As(err, &refusal):
		return string(refusal.Verdict()) + ": " + short(err), ""
	case err != nil:
		return short(err), ""
	}
	same.readSealed(verified, loaded)
	report := loaded.Report()
	if err := loaded.Close(); err != nil {
		return short(err), ""
	}
	if report.KernelVerified {
		profile = report.Profile
	}
	return corpus.Loaded, profile
}

// nothingIsLeft waits until no program and no map is in the kernel, which
// frees them a little later. Nobody else is on this machine.
func nothingIsLeft() error {
	deadline := time.Now().Add(time.Minute)
	for {
		program, noProgram := ebpf.ProgramGetNextID(0)
		bpfMap, noMap := ebpf.MapGetNextID(0)
		if errors.Is(noProgram, os.ErrNotExist) && errors.Is(noMap, os.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("left in the kernel: program %d (%v), map %d (%v)", program, noProgram, bpfMap, noMap)
		}
		runtime.GC() // cilium/ebpf maps data sections into memory, and unmaps them so
		time.Sleep(2 * time.Millisecond)
	}
}
