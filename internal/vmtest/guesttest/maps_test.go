//go:build vmguest

package guesttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// metadataMap is a map as the profile wants it: exclusive to the loader program,
// frozen, and hashed where the program compares the digest itself.
func (a attempt) metadataMap(t *testing.T, contents []byte) *bpfsys.FD {
	t.Helper()
	digest := sha256.Sum256(a.instructions)
	m, err := bpfsys.CreateMap(bpfsys.MapSpec{Name: "tbpf.meta", Type: bpfabi.MapArray, KeySize: 4, ValueSize: uint32(len(contents)), MaxEntries: 1, Exclusive: &digest})
	if err == nil {
		err = errors.Join(bpfsys.UpdateElem(m, make([]byte, 4), contents, 0), bpfsys.FreezeMap(m))
	}
	if err == nil && a.profile != bpfabi.Bound {
		_, err = bpfsys.HashMap(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// load loads the loader program with these maps.
func (a attempt) load(maps ...*bpfsys.FD) (*bpfsys.FD, error) {
	return bpfsys.LoadProgram(bpfsys.ProgramSpec{
		Name: "tbpf_loader", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "Dual BSD/GPL",
		Instructions: a.instructions, Maps: maps, Bind: a.profile == bpfabi.Bound, Signature: a.signature, KeyringID: a.keyring,
	})
}

// The signature of profile bound covers the values of all bound maps in a row. Two
// maps that make the same row pass it, and the program must not pass the verifier
// then: its metadata would end early, and another map stand where nobody looked
// (A15).
func TestMetadataIsNotSplitIntoTwoMaps(t *testing.T) {
	if profiles[kernel(t)] != bpfabi.Bound {
		return // only that profile binds maps
	}
	a := loaderOf(t, signedFixture, bpfabi.Bound)
	a.keyring = newKeyring(t, "keys/suite.crt")
	try := func(parts ...[]byte) error {
		var maps []*bpfsys.FD
		for _, part := range parts {
			m := a.metadataMap(t, part)
			defer m.Close()
			maps = append(maps, m)
		}
		program, err := a.load(maps...)
		return errors.Join(err, program.Close())
	}
	if err := try(a.metadata); err != nil {
		t.Fatalf("as it was signed: %v", err)
	}
	for at := 8; at < len(a.metadata); at += 8 {
		if at > 128 && at < len(a.metadata)-128 && at%64 != 0 {
			continue
		}
		if err := try(a.metadata[:at], a.metadata[at:]); !errors.Is(err, unix.EACCES) {
			t.Errorf("split at %d of %d: %v, want the verifier's EACCES", at, len(a.metadata), err)
		}
	}
	end := len(a.metadata) - 8
	for name, parts := range map[string][][]byte{
		"three maps":           {a.metadata[:8], a.metadata[8:end], a.metadata[end:]},
		"the other way round":  {a.metadata[end:], a.metadata[:end]},
		"one more":             {a.metadata, make([]byte, 8)},
		"twice":                {a.metadata, a.metadata},
		"one more at the head": {make([]byte, 8), a.metadata},
	} {
		if err := try(parts...); !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EKEYREJECTED) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// While the loader program is loaded, another thread has the descriptor of its map
// lead to another map, and back. Where the kernel does not bind the maps it reads
// the descriptor when it comes to it: the program refers to it once, and so checks
// the map that it uses (A25).
func TestASwappedMapIsNotUsed(t *testing.T) {
	profile, ok := profiles[kernel(t)]
	if !ok {
		testKernelKnowsNoSignatures(t)
		return
	}
	a := loaderOf(t, signedFixture, profile)
	a.keyring = newKeyring(t, "keys/suite.crt")
	evil := bytes.ReplaceAll(a.metadata, []byte("guard_open"), []byte("other_open"))
	if bytes.Equal(evil, a.metadata) {
		t.Fatal("the metadata does not name the program")
	}
	loaded, refusedIt := 0, 0
	for range 30 {
		err := a.whileSwapped(t, evil)
		switch {
		case err == nil:
			loaded++
		case errors.Is(err, unix.EKEYREJECTED), errors.Is(err, unix.EPERM), errors.Is(err, unix.EBADF):
			refusedIt++
		default:
			t.Errorf("%v", err)
		}
	}
	t.Logf("loaded %d times, refused %d times", loaded, refusedIt)
	if loaded == 0 || refusedIt == 0 {
		t.Error("only one of the maps was ever seen: nothing was swapped")
	}
}

// whileSwapped is one try, with maps of its own: a loader program runs once with
// one.
func (a attempt) whileSwapped(t *testing.T, evil []byte) error {
	t.Helper()
	good, bad := a.metadataMap(t, a.metadata), a.metadataMap(t, evil)
	defer good.Close()
	defer bad.Close()
	n, err := unix.Dup(good.Int())
	if err != nil {
		t.Fatal(err)
	}
	slot, err := bpfsys.NewFD(n)
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	begun, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		close(begun)
		var err error
		for i := 0; !stop.Load() && err == nil; i++ {
			err = unix.Dup3([]*bpfsys.FD{bad, good}[i%2].Int(), n, unix.O_CLOEXEC)
		}
		stopped <- err
	}()
	<-begun
	err = a.swapped(t, slot)
	stop.Store(true)
	if err := errors.Join(<-stopped, slot.Close()); err != nil {
		t.Fatal(err)
	}
	return err
}

// swapped loads and runs it with the map that the descriptor leads to just then,
// and fails the test if what came of it is not what was signed.
func (a attempt) swapped(t *testing.T, slot *bpfsys.FD) error {
	t.Helper()
	program, err := a.load(slot)
	if err != nil {
		return err
	}
	defer program.Close()
	context := bytes.Repeat([]byte{0xff}, a.context)
	clear(context[:loadctx.OffSlots])
	result, err := bpfsys.RunSyscallProgram(program, context)
	for slots := context[loadctx.OffSlots:]; len(slots) > 0; slots = slots[4:] {
		n := int32(binary.NativeEndian.Uint32(slots))
		if n < 0 {
			continue
		}
		fd, fdErr := bpfsys.NewFD(int(n))
		if fdErr != nil {
			t.Fatal(fdErr)
		}
		if info, err := bpfsys.GetProgramInfo(fd); err == nil && info.Name == "other_open" {
			t.Error("a program was loaded that nobody signed")
		}
		if err := fd.Close(); err != nil {
			t.Error(err)
		}
	}
	if err == nil && result != 0 {
		err = unix.Errno(-result)
	}
	return err
}
