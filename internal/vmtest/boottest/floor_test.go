//go:build vmguest

package boottest

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/floor"
)

// An older version, however well signed, is refused after a newer one: when the
// newer one is gone, when the clock was set back, and when somebody cuts the floor
// short, takes it away or brings one from the future (A19).
func TestAnOlderVersionIsRefusedAfterANewerOne(t *testing.T) {
	machine(t)
	file := object(t, 10, "fileguard-2", "fileguard")
	older := func() { put(t, file, read(t, "boot/fileguard-1.tbpf")) }
	boot(t).want(t, 0, true, "fileguard: loaded")
	older()
	boot(t).want(t, 31, false, "version 1 of \"fileguard\" is older than 2")
	if o := recordOf(t, "fileguard"); o == nil || o.Version != 2 {
		t.Errorf("in place is %+v", o)
	}
	must(t, takeDown())
	boot(t).want(t, 31, false, "is older than 2")
	loader(t, "load", file).want(t, 15, false, "is older than 2")
	put(t, file, read(t, "boot/fileguard-0.tbpf"))
	loader(t, "load", file).want(t, 15, false, "version 0")

	t.Run("clock", func(t *testing.T) {
		var now unix.Timeval
		must(t, unix.Gettimeofday(&now))
		began := time.Now()
		must(t, unix.Settimeofday(&unix.Timeval{Sec: 24 * 3600}))
		defer func() {
			now.Sec += int64(time.Since(began) / time.Second)
			must(t, unix.Settimeofday(&now))
		}()
		older()
		loader(t, "load", file).want(t, 15, false, "is older than 2")
		put(t, file, read(t, "boot/fileguard-2.tbpf"))
		loader(t, "load", file).want(t, 0, false, "fileguard, version 2: loaded") // no certificate is of the future
	})
	must(t, takeDown())

	kept := read(t, floorPath)
	older()
	for n := range kept {
		if n%7 != 0 && n != len(kept)-1 {
			continue
		}
		put(t, floorPath, kept[:n])
		loader(t, "load", file).want(t, 15, false, "rollback floor")
	}
	policy(t, "", "[rollback]\nstate = \"required\"\n")
	must(t, os.Remove(floorPath))
	loader(t, "load", file).want(t, 15, false, "requires a rollback floor")

	state, err := floor.Decode(kept)
	must(t, err)
	state.Time = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	put(t, floorPath, state.Encode())
	put(t, file, read(t, "boot/fileguard-2.tbpf"))
	loader(t, "load", file).want(t, 13, false, "the time is that of the rollback floor, 2100-01-01T00:00:00Z")
}
