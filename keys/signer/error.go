package signer

// Reason says why a private key cannot be used. Values are stable kebab-case.
type Reason string

// The reasons of an Error.
const (
	ReasonReference      Reason = "key-reference"       // the reference is of no form that tbpf knows
	ReasonUnreadable     Reason = "key-unreadable"      // no such file, no permission, not a regular file
	ReasonMode           Reason = "key-mode"            // others than the owner may read or write the file
	ReasonMalformed      Reason = "key-malformed"       // not a private key, or more than one
	ReasonEncryption     Reason = "key-encryption"      // encrypted in a way that tbpf does not take
	ReasonPasswordNeeded Reason = "key-password-needed" // encrypted, and there is no way to ask
	ReasonPasswordWrong  Reason = "key-password-wrong"
	ReasonUnsupported    Reason = "key-unsupported" // of a type or size that tbpf does not take
	ReasonPlugin         Reason = "key-plugin"      // the program that holds it is missing, fails, or answers nonsense
)

// Error says why a private key cannot be used. Its text has neither key bytes
// nor passwords.
type Error struct {
	Source string // path or env://NAME; empty if the reference must not be shown
	Reason Reason
	Detail string
	Hint   string // what to do about it; may be empty
	Err    error  // the cause, if it is safe to show
}

func (e *Error) Error() string {
	if e.Source == "" {
		return "private key: " + e.Detail
	}
	return "private key " + e.Source + ": " + e.Detail
}

func (e *Error) Unwrap() error { return e.Err }
