package bench

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// loopback is the interface that every network namespace has, and its index.
const (
	loopback      = "lo"
	loopbackIndex = 1
)

// attaching is an object that is attached, and its peers.
type attaching struct {
	fixture string
	raw     []string
	light   string
	types   map[string]int // of its programs
}

func (b *bench) attaching(fixture string) (a attaching, err error) {
	a.fixture = fixture
	if a.raw, err = b.rawload(b.fixture(fixture), loopbackIndex); err != nil {
		return a, err
	}
	if a.types, err = attachTypes(b.fixture(fixture)); err != nil {
		return a, err
	}
	a.light, err = b.lightSkeleton(b.fixture(fixture), a.types)
	return a, err
}

// attach measures the time from exec until an object is attached: one object,
// and a boot set of twenty. It runs last: the network namespace is an empty one
// from here on, for this thread and what it starts, and nothing is sent in it.
func (b *bench) attach(a attaching, bpffs string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare the network: %w", err)
	}
	_, cert, err := b.key("ecdsa-p256")
	if err != nil {
		return err
	}
	table := "[attach]\n"
	var flags []string
	for program := range a.types {
		table += fmt.Sprintf("%s = %q\n", program, loopback)
		flags = append(flags, "--attach", program+"="+loopback)
	}
	for _, n := range []int{1, bootSize} {
		set, err := b.bootSet(a.fixture, n, table)
		if err != nil {
			return err
		}
		set.dirs = append(set.dirs, bpffs+"/"+set.names[0])
		boot := set.process("tbpf-loader boot, a worker each", b.own("tbpf-loader"), "boot")
		rawEach := set.each("raw Go loader, a process each", bpffs, append([]string{b.own("rawload"), "DIR"}, a.raw...))
		lightEach := set.each("static C light skeleton, a process each", bpffs, []string{a.light, "DIR"})
		contestants := []Contestant{{Process: boot}, {Process: rawEach, Aim: 1.5}, {Process: lightEach, Aim: 2}}
		title := fmt.Sprintf("From exec to attached: %s.bpf.o, %d links, ", a.fixture, len(a.types))
		if n > 1 {
			err = b.contest(Contest{Title: title + "twenty times", Memory: true, Rounds: max(b.Rounds/2, 1), Contestants: contestants})
		} else {
			contestants[1].Aim = 1.3
			load := set.process("tbpf load (4 signatures)", append(append(b.loading(cert, bpffs), set.files[0]), flags...)...)
			err = b.contest(Contest{Title: title + "once: tbpf-loader", Memory: true, Contestants: contestants})
			if err == nil {
				err = b.contest(Contest{Title: title + "once: tbpf load", Memory: true, Contestants: append([]Contestant{{Process: load}}, contestants[1:]...)})
			}
		}
		if err == nil {
			err = set.clear()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// attachTypes are those of an object's programs, by their names.
func attachTypes(object string) (map[string]int, error) {
	data, err := os.ReadFile(object)
	if err != nil {
		return nil, err
	}
	s, err := skeleton.Generate(data, skeleton.Options{})
	if err != nil {
		return nil, err
	}
	kinds := make(map[string]int)
	for i := range s.Manifest.Programs {
		p := &s.Manifest.Programs[i]
		kind, err := bpfabi.ParseAttachType(p.AttachType)
		if err != nil {
			return nil, err
		}
		kinds[p.Name] = int(kind)
	}
	return kinds, nil
}
