package gate

// Error is why the gate is not on.
type Error struct {
	Reason string // stable, kebab-case
	Hint   string // what to do; may be empty
	Err    error
}

func (e *Error) Error() string { return "gate: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ExitCode is the exit code of a process that ends with the error: the kernel
// lacks what is needed, or it failed.
func (e *Error) ExitCode() int {
	switch e.Reason {
	case "no-lsm", "no-signatures":
		return 23
	case "state-not-frozen":
		return 16
	}
	return 1
}
