//go:build vmguest

package guesttest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// attempt is one load of a loader program as somebody makes it who skips all
// of tbpf's own verification: only the kernel stands in the way.
type attempt struct {
	profile      bpfabi.Profile
	instructions []byte
	metadata     []byte
	signature    []byte
	keyring      int32
	context      int // bytes
}

// refusal is where an attempt ended.
type refusal struct {
	stage string // "map", "load", "run", or "" if nothing refused
	errno unix.Errno
}

// make follows the profile's contract: the map is exclusive to the program
// and frozen, and hashed where the program compares the digest itself.
func (a attempt) make(t *testing.T) refusal {
	t.Helper()
	digest := sha256.Sum256(a.instructions)
	metadata, err := bpfsys.CreateMap(bpfsys.MapSpec{
		Name: "tbpf.meta", Type: bpfabi.MapArray,
		KeySize: 4, ValueSize: uint32(len(a.metadata)), MaxEntries: 1, Exclusive: &digest,
	})
	if err != nil {
		return refused(t, "map", err)
	}
	defer metadata.Close()
	if err := bpfsys.UpdateElem(metadata, make([]byte, 4), a.metadata, 0); err != nil {
		t.Fatal(err)
	}
	if err := bpfsys.FreezeMap(metadata); err != nil {
		t.Fatal(err)
	}
	if a.profile != bpfabi.Bound {
		if _, err := bpfsys.HashMap(metadata); err != nil {
			t.Fatal(err)
		}
	}
	program, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
		Name: "tbpf_loader", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable,
		License: "Dual BSD/GPL", Instructions: a.instructions,
		Maps: []*bpfsys.FD{metadata}, Bind: a.profile == bpfabi.Bound,
		Signature: a.signature, KeyringID: a.keyring,
	})
	if err != nil {
		return refused(t, "load", err)
	}
	defer program.Close()
	context := make([]byte, a.context)
	slots := context[loadctx.OffSlots:]
	for i := range slots {
		slots[i] = 0xff // every slot -1: no target
	}
	result, err := bpfsys.RunSyscallProgram(program, context)
	if err != nil {
		return refused(t, "run", err)
	}
	for ; len(slots) > 0; slots = slots[4:] { // what it loaded is of no use here
		if fd := int32(binary.NativeEndian.Uint32(slots)); fd >= 0 {
			_ = unix.Close(int(fd))
		}
	}
	if result != 0 {
		return refusal{"run", unix.Errno(-result)}
	}
	return refusal{}
}

func refused(t *testing.T, stage string, err error) refusal {
	t.Helper()
	var errno unix.Errno
	if !errors.As(err, &errno) {
		t.Fatalf("%s: %v", stage, err)
	}
	return refusal{stage, errno}
}

// newKeyring makes a keyring with one certificate and returns its serial
// number. The user keyring holds it: a process keyring belongs to one thread's
// credentials. Of two keyrings of one name the second would replace the first.
func newKeyring(t *testing.T, path string) int32 {
	t.Helper()
	ring, err := unix.AddKey("keyring", t.Name()+" "+path, nil, unix.KEY_SPEC_USER_KEYRING)
	if err != nil {
		t.Fatalf("make keyring: %v", err)
	}
	if _, err := unix.AddKey("asymmetric", "", certificate(t, path), ring); err != nil {
		t.Fatalf("add certificate: %v", err)
	}
	return int32(ring)
}
