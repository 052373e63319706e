package gate

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// What a loader tells the gate (object/config.h, enum gate_tell).
const (
	tellState = 1
	tellFloor = 2
	tellNext  = 3
)

// Tell tells the gate what this process read, by which it would decide: the
// digests of policy, keyring and revocations, and of the rollback floor. An
// error says that the gate was armed with others. Where there is no gate, or the
// kernel checks signatures itself, nothing is to be told.
func Tell(state, floor Digest) error {
	if err := tell(tellState, state); err != nil {
		return &Error{Reason: "state-not-frozen", Err: errors.New("policy, keyring or revocations are not those that the gate was armed with"), Hint: "a change takes effect when the machine is started anew; a loader that is traced, or that was started beneath a filter of system calls, is refused as well"}
	}
	if err := tell(tellFloor, floor); err != nil {
		return &Error{Reason: "state-not-frozen", Err: errors.New("the rollback floor is not the one that the trusted loader wrote last"), Hint: "restore /var/lib/tbpf/floor, or start the machine anew"}
	}
	return nil
}

// TellNext tells the gate which rollback floor is about to be written.
func TellNext(floor Digest) error {
	if err := tell(tellNext, floor); err != nil {
		return &Error{Reason: "state-not-frozen", Err: errors.New("the gate does not take another rollback floor from this process")}
	}
	return nil
}

// TellWritten tells the gate that the rollback floor was written: the one before
// it counts no more.
func TellWritten(floor Digest) error {
	if err := tell(tellFloor, floor); err != nil {
		return &Error{Reason: "state-not-frozen", Err: errors.New("the gate does not take the rollback floor that this process wrote")}
	}
	return nil
}

func tell(what uint32, digest Digest) error {
	err := bpfsys.TellGate(what, digest)
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err == nil {
		err = errors.New("the kernel has a command of the gate's number")
	}
	return err
}
