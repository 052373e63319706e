package gate

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// trialName is the self-test's program in events.
const trialName = "tbpf_selftest"

// loadAnything loads a program that nobody signed, and lets it go. It returns 0
// to whatever would run it: nothing does.
func loadAnything() error {
	return kernelload.OnThread(func() error {
		prog, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
			Name: trialName, Type: bpfabi.ProgramSocketFilter, License: "GPL",
			Instructions: []byte{
				0xb7, 0, 0, 0, 0, 0, 0, 0, // r0 = 0
				0x95, 0, 0, 0, 0, 0, 0, 0, // exit
			},
		})
		if err != nil {
			return err
		}
		return prog.Close()
	})
}

// Armed is the mode of the gate that is on, NotArmed without one. pins is the
// directory of its pins. One that is armed and is not asked is an error, and so
// is one that audits and whose pins are gone: it can end at any moment.
func Armed(pins string) (mode Mode, err error) {
	for tries := 0; ; tries++ {
		mode, held, err := armed(pins)
		if err != nil || mode != Audit || held {
			return mode, err
		}
		// Somebody took it down, and the kernel has not finished with it.
		if tries == 50 {
			return NotArmed, &Error{Reason: "no-pins", Err: errors.New("it audits, and its pins are gone"), Hint: "start the machine anew"}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func armed(pins string) (mode Mode, held bool, err error) {
	s, err := Find()
	if err != nil || s == nil {
		return NotArmed, false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.Mode == NotArmed {
		return NotArmed, false, nil
	}
	before, err := s.Last()
	if err != nil {
		return NotArmed, false, err
	}
	if err := loadAnything(); err != nil && !errors.Is(err, unix.EPERM) {
		return NotArmed, false, err
	}
	after, err := s.Last()
	if err != nil {
		return NotArmed, false, err
	}
	var st unix.Stat_t
	held = unix.Lstat(pins, &st) == nil && kernelDevice(st.Dev) == s.bpffs
	if after == before && (held || s.Mode == Enforce) {
		return NotArmed, false, &Error{Reason: "self-test", Err: errors.New("it is armed, and was not asked about a load")}
	}
	return s.Mode, held, nil
}
