//go:build linux

package worker

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// A payload is what the broker verified, or it is not loaded: root can open a
// memfd of the broker's by /proc, and write it before it is sealed.
func TestAPayloadIsWhatWasVerified(t *testing.T) {
	verified := kernelload.Payload{
		Profile: bpfabi.Bound, Instructions: bytes.Repeat([]byte{1}, 16), Metadata: bytes.Repeat([]byte{2}, 24), CMS: bytes.Repeat([]byte{3}, 5),
	}
	r, _ := newTry(verified, kernelload.Settings{}, nil)
	whole := bytes.Join([][]byte{verified.Instructions, verified.Metadata, verified.CMS}, nil)
	read := func(b []byte) (*kernelload.Payload, error) {
		t.Helper()
		fd, err := newMemfd("test", b)
		if err != nil {
			t.Fatal(err)
		}
		defer fd.Close()
		return readPayload(&r.settings, fd)
	}
	p, err := read(whole)
	if err != nil || !bytes.Equal(p.Instructions, verified.Instructions) || !bytes.Equal(p.Metadata, verified.Metadata) || !bytes.Equal(p.CMS, verified.CMS) {
		t.Errorf("%+v, %v", p, err)
	}
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 0x80
		if p, err := read(changed); err == nil {
			t.Errorf("byte %d was changed, and it is read: %+v", i, p)
		}
	}
	if _, err := read(whole[:len(whole)-1]); err == nil {
		t.Error("one that is too short is read")
	}
}

// The race that the digest is for: what another process writes through /proc
// before the seals are on stays in the memfd.
func TestAMemfdCanBeOpenedByProc(t *testing.T) {
	n, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := bpfsys.NewFD(n)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	other, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(n), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Write([]byte("another")); err != nil {
		t.Error(err)
	}
	if _, err := unix.FcntlInt(uintptr(n), unix.F_ADD_SEALS, sealAll); err != nil {
		t.Errorf("an open descriptor keeps the seals off: %v", err)
	}
	if _, err := other.Write([]byte("!")); err == nil {
		t.Error("it can be written although it is sealed")
	}
}
