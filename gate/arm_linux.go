package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// Settings are what the gate is armed with.
type Settings struct {
	Mode     Mode
	Keyrings []string // system keyrings that may verify: builtin, secondary, platform
	Serials  []int32  // user keyrings that may verify
	Loader   FileID   // the trusted loader's binary
	Allow    []Allow
	State    Digest // of policy, keyring and revocations
	Floor    Digest // of the rollback floor's file
	Pins     string // directory of the gate's pins, a bpffs of its own
	// Map returns the descriptor of a map of the gate's, nil without one.
	Map func(name string) *bpfsys.FD
	// Trial loads something that the gate must let pass: a signed program, not
	// run. Nil on kernels that check no signatures, where the trusted loader
	// itself may load.
	Trial func() error
}

// maps are all of the gate's maps.
func maps() []string {
	return []string{MapConfig, MapState, MapAllow, MapFiles, "gate_programs", "gate_tasks", MapEvents, MapCounters}
}

// CheckLSM reports whether the kernel asks BPF LSM programs at all. One that
// does not lets them be attached all the same.
func CheckLSM() error {
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	if err != nil {
		return &Error{Reason: "no-lsm", Err: fmt.Errorf("which LSMs are active cannot be seen: %w", err), Hint: "mount -t securityfs securityfs /sys/kernel/security"}
	}
	if !slices.Contains(strings.Split(strings.TrimSpace(string(list)), ","), "bpf") {
		return &Error{Reason: "no-lsm", Err: fmt.Errorf("bpf is not among the active LSMs (%s): the kernel would never ask the gate", strings.TrimSpace(string(list))),
			Hint: "boot with lsm=" + strings.TrimSpace(string(list)) + ",bpf on the kernel command line"}
	}
	return nil
}

// Arm tests a gate that is attached, and arms it. After an error it is not
// armed, and is to be taken down. The test is judged as in enforce mode, and is
// this process's alone, which must not do anything else meanwhile.
func Arm(s Settings) error {
	a := arming{Settings: s}
	if err := a.run(); err != nil {
		if _, known := errors.AsType[*Error](err); known {
			return err
		}
		return &Error{Reason: "not-armed", Err: err}
	}
	return nil
}

type arming struct {
	Settings
	config config
}

func (a *arming) run() error {
	if a.Mode != Audit && a.Mode != Enforce {
		return errors.New("it has neither mode")
	}
	if err := CheckLSM(); err != nil {
		return err
	}
	if err := a.describe(); err != nil {
		return err
	}
	if err := a.mount(); err != nil {
		return err
	}
	if err := a.test(); err != nil {
		return errors.Join(err, a.disarm())
	}
	if err := a.fill(); err != nil {
		return errors.Join(err, a.disarm())
	}
	return a.arm()
}

// describe makes the settings as the kernel has them.
func (a *arming) describe() error {
	c := &a.config
	c.binary, c.state, c.floor = a.Loader, a.State, a.Floor
	for _, name := range a.Keyrings {
		n := slices.Index([]string{"", "builtin", "secondary", "platform"}, name)
		if n < 1 {
			return fmt.Errorf("%q is no system keyring", name)
		}
		c.keyrings |= 1 << n
	}
	if len(a.Serials) > Serials {
		return fmt.Errorf("more than %d keyrings", Serials)
	}
	copy(c.serials[:], a.Serials)
	for i, name := range maps() {
		info, err := bpfsys.GetMapInfo(a.Map(name))
		if err != nil {
			return fmt.Errorf("map %s: %w", name, err)
		}
		c.maps[i] = info.ID
	}
	return nil
}

// mount finds the bpffs of the pins, which must be the gate's alone, and gives
// it no peers: unmounting one would unmount it.
func (a *arming) mount() error {
	var pins, above unix.Stat_t
	if err := errors.Join(unix.Lstat(a.Pins, &pins), unix.Lstat(filepath.Dir(a.Pins), &above)); err != nil {
		return fmt.Errorf("%s: %w", a.Pins, err)
	}
	if pins.Dev == above.Dev {
		return fmt.Errorf("%s is no file system of the gate's own: it must be armed in the mount namespace of the first process", a.Pins)
	}
	if err := unix.Mount("", a.Pins, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make %s private: %w", a.Pins, err)
	}
	a.config.bpffs = kernelDevice(pins.Dev)
	return nil
}

// test sees that the gate refuses what it has to, and nothing else.
func (a *arming) test() error {
	if err := loadAnything(); err != nil {
		return fmt.Errorf("this process cannot load a program, with or without a gate: %w", err)
	}
	c := a.config
	c.mode, c.test = Enforce, uint32(os.Getpid())
	if err := a.write(&c); err != nil {
		return err
	}
	before, err := a.counter(Refused, ReasonTest)
	if err != nil {
		return err
	}
	if err := loadAnything(); !errors.Is(err, unix.EPERM) {
		return &Error{Reason: "self-test", Err: fmt.Errorf("a load that had to be refused was not: %v", err)}
	}
	after, err := a.counter(Refused, ReasonTest)
	if err != nil || after != before+1 {
		return &Error{Reason: "self-test", Err: fmt.Errorf("a load was refused, and not by the gate (%d, %d, %v)", before, after, err)}
	}
	// The gate sees which mount it is that must stay.
	if err := unix.Unmount(a.Pins, unix.UMOUNT_NOFOLLOW); !errors.Is(err, unix.EPERM) {
		return &Error{Reason: "self-test", Err: fmt.Errorf("unmounting %s had to be refused and was not: %v", a.Pins, err)}
	}
	if a.Trial == nil {
		c.loader = c.test
		if err := a.write(&c); err != nil {
			return err
		}
		a.Trial = loadAnything
	}
	if err := a.Trial(); err != nil {
		return &Error{Reason: "self-test", Err: fmt.Errorf("a load that had to pass was refused: %w", err)}
	}
	return nil
}

// fill writes the lists, and freezes every map but the settings.
func (a *arming) fill() error {
	one := binary.NativeEndian.AppendUint32(nil, 1)
	files := []FileID{a.Loader}
	for i := range a.Allow {
		entry := binary.NativeEndian.AppendUint32(nil, uint32(i+1))
		for _, key := range a.Allow[i].keys() {
			if err := bpfsys.UpdateElem(a.Map(MapAllow), key, entry, 0); err != nil {
				return fmt.Errorf("allow list: %w", err)
			}
		}
		files = append(files, a.Allow[i].Exe)
	}
	for _, file := range files {
		if file == (FileID{}) {
			continue
		}
		if err := bpfsys.UpdateElem(a.Map(MapFiles), file.encode(), one, 0); err != nil {
			return fmt.Errorf("pinned files: %w", err)
		}
	}
	for _, name := range maps() {
		if name == MapConfig {
			continue
		}
		if err := bpfsys.FreezeMap(a.Map(name)); err != nil {
			return fmt.Errorf("freeze map %s: %w", name, err)
		}
	}
	return nil
}

// arm writes the settings, and sees to it that nobody writes them again.
func (a *arming) arm() error {
	c := a.config
	c.mode, c.loader = a.Mode, uint32(os.Getpid())
	if err := a.write(&c); err != nil {
		return errors.Join(err, a.disarm())
	}
	if err := bpfsys.FreezeMap(a.Map(MapConfig)); err != nil {
		return errors.Join(fmt.Errorf("freeze the settings: %w", err), a.disarm())
	}
	have := make([]byte, configSize)
	if err := bpfsys.LookupElem(a.Map(MapConfig), make([]byte, 4), have); err != nil || !bytes.Equal(have, c.encode()) {
		return fmt.Errorf("the settings are not those that were written: %w", err)
	}
	return nil
}

func (a *arming) write(c *config) error {
	if err := bpfsys.UpdateElem(a.Map(MapConfig), make([]byte, 4), c.encode(), 0); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	return nil
}

// disarm lets everything pass again, so that the gate can be taken down.
func (a *arming) disarm() error { return a.write(new(config)) }

func (a *arming) counter(d Decision, r Reason) (uint64, error) {
	return readCounter(a.Map(MapCounters), Counter(d, r))
}

func readCounter(m *bpfsys.FD, i uint32) (uint64, error) {
	value := make([]byte, 8)
	if err := bpfsys.LookupElem(m, binary.NativeEndian.AppendUint32(nil, i), value); err != nil {
		return 0, err
	}
	return binary.NativeEndian.Uint64(value), nil
}
