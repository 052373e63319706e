//go:build linux

package kernelload

import (
	"bytes"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// openToWrite is BPF_MAP_GET_FD_BY_ID.
func openToWrite(id uint32) (*bpfsys.FD, error) {
	attr := [4]uint32{id}
	n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(bpfabi.CommandMapGetFDByID), uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return nil, errno
	}
	return bpfsys.NewFD(int(n))
}

// Between its filling and its freezing somebody else writes the map.
func TestMetadataThatAnotherWrites(t *testing.T) {
	p := Payload{Profile: bpfabi.Bound, Instructions: exit(), Metadata: bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0, 7}, 8*509)}
	foreign := bytes.Repeat([]byte{9}, len(p.Metadata))
	meta, err := metadataMap(p, nil)
	if errors.Is(err, unix.EPERM) {
		t.Skip("no permission to use BPF")
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := bpfsys.GetMapInfo(meta)
	if err := errors.Join(err, meta.Close()); err != nil {
		t.Fatal(err)
	}

	// The other one opens each map that comes, and writes it for as long as it can,
	// if it is one of this test's: nobody else's map has this name and size.
	var next atomic.Uint32
	next.Store(info.ID + 1)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		runtime.LockOSThread()
		for {
			select {
			case <-stop:
				return
			default:
			}
			m, err := openToWrite(next.Load())
			if err != nil {
				continue
			}
			about, err := bpfsys.GetMapInfo(m)
			if err != nil || about.Name != mapName || about.KeySize != 4 || int(about.ValueSize) != len(foreign) {
				_ = m.Close()
				continue
			}
			for range 10000 { // one that was not frozen could be written for ever
				if bpfsys.UpdateElem(m, make([]byte, 4), foreign, 0) != nil {
					break
				}
			}
			_ = m.Close()
		}
	}()
	refused := 0
	for end := time.Now().Add(5 * time.Second); refused < 5 && time.Now().Before(end); {
		meta, err := metadataMap(p, nil)
		if err != nil {
			if !errors.Is(err, unix.EBUSY) { // frozen while it was written
				refused++
			}
			ids, err := bpfsys.MapIDs()
			if err != nil {
				t.Fatal(err)
			}
			newest := next.Load()
			for _, id := range ids { // none, where the kernel frees faster than this looks
				newest = max(newest, id)
			}
			next.Store(newest + 1)
			continue
		}
		info, err := bpfsys.GetMapInfo(meta)
		if err != nil {
			t.Fatal(err)
		}
		have := make([]byte, len(p.Metadata))
		if err := bpfsys.LookupElem(meta, make([]byte, 4), have); err != nil || !bytes.Equal(have, p.Metadata) {
			t.Fatalf("the map is taken with another one's bytes, after %d that were refused: %v", refused, err)
		}
		next.Store(info.ID + 1)
		if err := meta.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-stopped
	t.Logf("%d maps that another had written were refused", refused)
}
