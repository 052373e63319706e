//go:build linux

package kernelload

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// Step is what was being done, in this order.
type Step uint8

// The steps of a load.
const (
	StepMap    Step = iota + 1 // BPF_MAP_CREATE of the metadata map
	StepFill                   // its contents
	StepFreeze                 // BPF_MAP_FREEZE of it
	StepHash                   // its digest, for the profiles that check it themselves
	StepLoad                   // BPF_PROG_LOAD of the loader program: here the kernel checks the signature
	StepRun                    // BPF_PROG_RUN of it
	StepInside                 // the loader program ran and returned an error
	StepResult                 // what it left in its context makes no sense
)

// String names the step for error texts.
func (s Step) String() string {
	names := [...]string{"nothing", "metadata map", "metadata contents", "metadata freeze", "metadata digest",
		"loader program", "loader program run", "load", "loader program result"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("step(%d)", uint8(s))
}

// Error is a failed load. Nothing of it is left in the kernel.
type Error struct {
	Step  Step
	Errno unix.Errno    // 0 for StepResult
	Stage loadctx.Stage // of StepInside
	Index uint32        // of StepInside: of the map, program or symbol
	Log   []byte        // the verifier's, if a log was asked for
	Cause error         // what the system call's wrapper said
}

// Error names the step, and the loader program's stage if it got there.
func (e *Error) Error() string {
	if e.Step == StepInside {
		return fmt.Sprintf("%v: %v %d: %v", e.Step, e.Stage, e.Index, e.Errno)
	}
	return fmt.Sprintf("%v: %v", e.Step, e.Cause)
}

// Unwrap returns the error number, or the cause where there is none.
func (e *Error) Unwrap() error {
	if e.Errno != 0 {
		return e.Errno
	}
	return e.Cause
}
