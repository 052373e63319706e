//go:build vmguest

package boottest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/vmtest/slowfs"
)

// slow puts a file of the boot set on a file system that answers as read says.
func slow(t *testing.T, file string, size int, read func(open, offset, size int) []byte) *slowfs.FS {
	t.Helper()
	return mountSlow(t, file, slowfs.File{Size: size, Read: read})
}

func mountSlow(t *testing.T, file string, f slowfs.File) *slowfs.FS {
	t.Helper()
	dir := filepath.Dir(file)
	must(t, os.MkdirAll(dir, 0o755))
	s, err := slowfs.Mount(dir, map[string]slowfs.File{filepath.Base(file): f})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const slowFile = objectDir + "/slow/ringbuf.tbpf"

// slowEntry has the boot set load it.
func slowEntry(t *testing.T, number, timeout string) {
	t.Helper()
	put(t, bootDir+"/"+number+"-ringbuf.toml", []byte("file = \""+slowFile+"\"\nname = \"ringbuf\"\ntimeout = "+timeout+"\n"))
}

// part is what a file has in a place.
func part(data []byte, offset, size int) []byte {
	return data[min(offset, len(data)):min(offset+size, len(data))]
}

// Each byte of an object is read once, and what was read is what is verified and
// loaded: a file system that answers differently the second time is not asked a
// second time (A22).
func TestAFileIsReadOnce(t *testing.T) {
	machine(t)
	good, bad := read(t, "boot/ringbuf-1.tbpf"), read(t, "boot/ringbuf-stranger.tbpf")
	var asked atomic.Int64 // the end of what was asked for
	var again atomic.Bool
	s := slow(t, slowFile, len(good), func(open, offset, size int) []byte {
		if open > 1 || int64(offset) < asked.Load() {
			again.Store(true)
			return part(bad, offset, size)
		}
		out := part(good, offset, size)
		asked.Store(int64(offset + len(out)))
		return out
	})
	slowEntry(t, "10", "60")
	boot(t).want(t, 0, true, "ringbuf: loaded")
	if again.Load() || s.Opens("ringbuf.tbpf") != 1 {
		t.Errorf("it was opened %d times, and read again: %t", s.Opens("ringbuf.tbpf"), again.Load())
	}
	// The other way round: the first answer is the one that counts.
	must(t, s.Close())
	must(t, takeDown())
	slow(t, slowFile, len(bad), func(open, offset, size int) []byte {
		if open > 1 {
			return part(good, offset, size)
		}
		return part(bad, offset, size)
	})
	boot(t).want(t, 31, false, "ringbuf: failed")
}

// A file that changes between two reads is neither of the two.
func TestAMixtureOfTwoFilesIsRefused(t *testing.T) {
	machine(t)
	one, two := read(t, "boot/fileguard-1.tbpf"), read(t, "boot/multi-1.tbpf")
	slow(t, slowFile, len(one), func(_, offset, size int) []byte {
		if offset > 0 {
			return part(two, offset, size)
		}
		return part(one, offset, min(size, 4096))
	})
	put(t, bootDir+"/10-fileguard.toml", []byte("file = \""+slowFile+"\"\nname = \"fileguard\"\n"))
	boot(t).want(t, 31, false, "fileguard: failed")
}

// A file that does not answer ends with its time, and what is in place is taken
// down or left as the policy says (A22, A32).
func TestAFileThatDoesNotAnswerIsGivenUp(t *testing.T) {
	for policies, stays := range map[string]bool{"on-required-failure = \"take-down\"\n": false, "on-required-failure = \"leave\"\n": true} {
		machine(t)
		policy(t, "", policies)
		object(t, 10, "fileguard-1", "fileguard")
		good := read(t, "boot/ringbuf-1.tbpf")
		s := mountSlow(t, slowFile, slowfs.File{Size: len(good), Cached: true, Read: func(_, _, _ int) []byte {
			select {} // for ever
		}})
		slowEntry(t, "20", "2")
		object(t, 30, "multi-1", "multi")
		began := time.Now()
		r := boot(t)
		r.want(t, 31, false, "ringbuf: failed", "was not loaded within 2s", "multi: failed")
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
		for _, name := range []string{"fileguard", "ringbuf", "multi"} {
			_, err := os.Stat(pinDir + "/" + name)
			if want := stays && name == "fileguard"; (err == nil) != want || (recordOf(t, name) != nil) != want {
				t.Errorf("%s: %v, recorded %t, policy %s", name, err, recordOf(t, name) != nil, policies)
			}
		}
		must(t, s.Close())
	}
}

// A file that others rewrite all the time, root's own mistake, is loaded as it
// was signed or not at all: never one thing verified and another loaded.
func TestAFileThatIsRewrittenMeanwhile(t *testing.T) {
	good, bad := read(t, "boot/ringbuf-1.tbpf"), read(t, "boot/ringbuf-stranger.tbpf")
	if len(bad) < len(good) {
		bad = append(bad, make([]byte, len(good)-len(bad))...)
	}
	bad = bad[:len(good)]
	for how, change := range map[string]func(file string, i int) error{
		"through a mapping": func(file string, i int) error { return mapped(file, [][]byte{good, bad}[i%2]) },
		"truncated and written": func(file string, i int) error {
			if i%2 == 0 {
				return os.Truncate(file, int64(i*997%len(good)))
			}
			return os.WriteFile(file, good, 0o644)
		},
		"replaced": func(file string, i int) error {
			return os.WriteFile(file+".new", [][]byte{good, bad}[i%2], 0o644)
		},
	} {
		t.Run(how, func(t *testing.T) {
			machine(t)
			file := object(t, 10, "ringbuf-1", "ringbuf")
			stop, stopped := make(chan struct{}), make(chan error, 1)
			go func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						stopped <- nil
						return
					default:
					}
					err := change(file, i)
					if err == nil && how == "replaced" {
						err = os.Rename(file+".new", file)
					}
					if err != nil {
						stopped <- err
						return
					}
				}
			}()
			loads, refusals := 0, 0
			for range 6 {
				must(t, takeDown())
				r := boot(t)
				o := recordOf(t, "ringbuf")
				switch {
				case r.code == 0 && o != nil && o.Version == 1 && len(o.Signers) == 1 && strings.Contains(o.Signers[0].Subject, "suite"):
					loads++
				case r.code == 31:
					if _, err := os.Stat(pinDir + "/ringbuf"); err == nil {
						t.Errorf("it failed and is in place: %v", r)
					}
					refusals++
				default:
					t.Errorf("%v\nrecord %+v", r, o)
				}
			}
			close(stop)
			must(t, <-stopped)
			t.Logf("loaded %d times, refused %d times", loads, refusals)
		})
	}
}

// mapped writes through a shared mapping, which no lease, lock or change of time
// shows while it is done.
func mapped(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, len(data), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(m, data)
	return unix.Munmap(m)
}

// A file over the limit is refused before it is read to its end (A32).
func TestAFileOverTheLimitIsRefused(t *testing.T) {
	machine(t)
	file := object(t, 10, "ringbuf-1", "ringbuf")
	must(t, os.WriteFile(file, bytes.Repeat([]byte{0}, 4096), 0o644))
	must(t, os.Truncate(file, 1<<40))
	boot(t).want(t, 31, false, "ringbuf: failed", "it has more than")
}
