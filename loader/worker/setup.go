//go:build linux

package worker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// step is what a worker was doing while it prepared itself.
type step uint8

const (
	stepOther step = iota
	stepStart
	stepLimits
	stepKeyring
	stepOpen
	stepToken
	stepCapabilities
	stepExecute
	stepFilter
	stepHold
	stepEnd
)

func (s step) String() string {
	return [...]string{"prepare itself", "take its user id and descriptors", "set its limits", "leave its session keyring", "open a bpffs", "make a token",
		"drop its capabilities", "execute this program", "install its system call filter", "keep the keyring"}[s]
}

// SetupError says that a worker could not prepare itself. It was given nothing
// yet.
type SetupError struct {
	Step  step
	Errno unix.Errno // 0: not known
	cause error
}

// Error names the step and the error number's meaning.
func (e *SetupError) Error() string {
	text := fmt.Sprintf("the worker could not %v", e.Step)
	switch {
	case e.Step == stepExecute && e.Errno == unix.EACCES:
		return fmt.Sprintf("%s: %v", text, ErrNotExecutable)
	case e.Errno != 0:
		return fmt.Sprintf("%s: %v", text, e.Errno)
	case e.cause != nil:
		return fmt.Sprintf("%s: %v", text, e.cause)
	}
	return text
}

// Unwrap returns the error number, or the cause where there is none.
func (e *SetupError) Unwrap() []error {
	switch {
	case e.Step == stepExecute && e.Errno == unix.EACCES:
		return []error{ErrNotExecutable, e.Errno}
	case e.Errno != 0:
		return []error{e.Errno}
	case e.cause != nil:
		return []error{e.cause}
	}
	return nil
}

// sendFailure tells the broker why there will be no worker.
func sendFailure(sock int, err error) error {
	var step byte
	if failed, ok := errors.AsType[*SetupError](err); ok {
		step = byte(failed.Step)
	}
	errno, _ := errors.AsType[unix.Errno](err)
	return send(sock, 0, binary.NativeEndian.AppendUint32([]byte{byte(opFailed), step}, uint32(errno)))
}

// setupFailure is the error in such a message, nil if it is another one.
func setupFailure(b []byte) error {
	if len(b) == 0 || b[0] != byte(opFailed) {
		return nil
	}
	if len(b) != 6 || step(b[1]) >= stepEnd {
		return errProtocol
	}
	errno := binary.NativeEndian.Uint32(b[2:])
	if errno > maxErrno {
		return errProtocol
	}
	return &SetupError{Step: step(b[1]), Errno: unix.Errno(errno)}
}
