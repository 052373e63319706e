//go:build linux

package record

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// goesOn is the file that says that the boot may go on. What stops a boot looks
// for it, so that nothing that fails, hangs or never starts lets it pass.
const goesOn = "boot-goes-on"

// HoldBoot takes back that the boot may go on.
func (s *Store) HoldBoot() error { return s.dir.Remove(goesOn) }

// LetBootGoOn says that the boot may go on from this root directory, and why.
func (s *Store) LetBootGoOn(why string) error {
	root, err := rootText()
	if err != nil {
		return err
	}
	return s.dir.WriteFile(goesOn, []byte(root+"\n"+why+"\n"))
}

// MayBootGoOn returns an error unless it was said, for this root directory: what
// an initramfs said does not hold when the machine has left it.
func (s *Store) MayBootGoOn() error {
	data, err := s.dir.ReadFile(goesOn, MaxSize)
	if err != nil {
		return err
	}
	root, err := rootText()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(data), root+"\n") {
		return errors.New("it was said for another root directory")
	}
	return nil
}

// rootText names the root directory.
func rootText() (string, error) {
	var st unix.Stat_t
	if err := unix.Stat("/", &st); err != nil {
		return "", fmt.Errorf("root directory: %w", err)
	}
	return fmt.Sprintf("root %d %d", st.Dev, st.Ino), nil
}
