//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/corpus"
	"github.com/trustedbpf/tbpf/keys/keyring"
)

// skeletonLoader loads what bpftool signed, as libbpf's skel_internal.h does:
// whether all of its maps is bound depends on the kernel.
func skeletonLoader(dir, certificate string) (loadFunc, error) {
	raw, err := os.ReadFile(filepath.Join(dir, certificate))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", certificate)
	}
	runtime.LockOSThread() // the session keyring is this thread's
	if err := keyring.Isolate(); err != nil {
		return nil, err
	}
	ring, err := unix.AddKey("keyring", "corpus", nil, unix.KEY_SPEC_SESSION_KEYRING)
	if err != nil {
		return nil, err
	}
	if _, err := unix.AddKey("asymmetric", "bpftool", block.Bytes, ring); err != nil {
		return nil, err
	}
	return func(task corpus.Task) (outcome corpus.Tried, err error) {
		if task.Skeleton == "" {
			return outcome, nil
		}
		raw, err := os.ReadFile(filepath.Join(dir, task.Skeleton))
		if err != nil {
			return outcome, err
		}
		var s corpus.Skeleton
		if err := json.Unmarshal(raw, &s); err != nil {
			return outcome, err
		}
		outcome.Skeleton = corpus.Loaded
		if err := runSkeleton(&s, int32(ring)); err != nil {
			outcome.Skeleton = short(err)
		}
		return outcome, nil
	}, nil
}

// runSkeleton loads the loader program and runs it.
func runSkeleton(s *corpus.Skeleton, ring int32) error {
	if len(s.Exclusive) != sha256.Size || len(s.Data) == 0 {
		return fmt.Errorf("digest of %d bytes, metadata of %d", len(s.Exclusive), len(s.Data))
	}
	exclusive := [sha256.Size]byte(s.Exclusive)
	metadata, err := bpfsys.CreateMap(bpfsys.MapSpec{
		Name: "__loader.map", Type: bpfabi.MapArray, KeySize: 4, ValueSize: uint32(len(s.Data)), MaxEntries: 1, Exclusive: &exclusive,
	})
	if err != nil {
		return err
	}
	defer metadata.Close()
	if err := bpfsys.UpdateElem(metadata, make([]byte, 4), s.Data, 0); err != nil {
		return err
	}
	if err := bpfsys.FreezeMap(metadata); err != nil {
		return err
	}
	if _, err := bpfsys.HashMap(metadata); err != nil {
		return err
	}
	spec := bpfsys.ProgramSpec{
		Name: "__loader.prog", Type: bpfabi.ProgramSyscall, Flags: unix.BPF_F_SLEEPABLE, License: "Dual BSD/GPL",
		Instructions: s.Insns, Maps: []*bpfsys.FD{metadata}, Bind: s.Bind, Signature: s.Signature, KeyringID: ring,
	}
	program, err := bpfsys.LoadProgram(spec)
	if err != nil {
		return fmt.Errorf("load loader program: %w", err)
	}
	defer program.Close()
	context := make([]byte, s.Context)
	context[0], context[1] = byte(s.Context), byte(s.Context>>8)
	result, err := bpfsys.RunSyscallProgram(program, context)
	if err != nil {
		return fmt.Errorf("run loader program: %w", err)
	}
	if result < 0 {
		return fmt.Errorf("loader program: %w", unix.Errno(-result))
	}
	return closeContext(s, context)
}

// closeContext closes the descriptors that a loader program left.
func closeContext(s *corpus.Skeleton, context []byte) error {
	for _, at := range s.Descriptors() {
		fd := int(int32(uint32(context[at]) | uint32(context[at+1])<<8 | uint32(context[at+2])<<16 | uint32(context[at+3])<<24))
		if fd <= 0 {
			continue
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("close descriptor %d of the context: %w", fd, err)
		}
	}
	return nil
}
