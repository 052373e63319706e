package gate

import "fmt"

// Reason is why the gate decided as it did.
type Reason uint8

// Reasons to pass, to refuse a load, and to refuse what takes the gate down.
const (
	ReasonSigned Reason = 1 // verified, by a keyring that is pinned
	ReasonNested Reason = 2 // from inside the run of a loader program that was allowed
	ReasonLoader Reason = 3 // by the trusted loader
	ReasonListed Reason = 4 // an entry of the allow list

	ReasonUnsigned    Reason = 16
	ReasonKeyring     Reason = 17 // verified, by a keyring that is not pinned
	ReasonType        Reason = 18 // signed, and no loader program
	ReasonUncovered   Reason = 19 // signed, with attributes that no signature covers
	ReasonNoSignature Reason = 20 // a signature's size and no signature
	ReasonNotNested   Reason = 21 // from a SYSCALL program that was not allowed
	ReasonNotLoader   Reason = 22 // not by the trusted loader, on a kernel without signatures
	ReasonTag         Reason = 23 // an entry of the allow list names another program
	ReasonMap         Reason = 24 // a signed loader whose map is not exclusive or not frozen
	ReasonNoMemory    Reason = 25 // the gate could not remember what it has to
	ReasonTest        Reason = 26 // the self-test's load that has to be refused
	ReasonState       Reason = 27 // the loader read another policy, keyring or floor than is frozen

	ReasonItsMap   Reason = 32 // writing one of the gate's maps
	ReasonItsPin   Reason = 33 // removing or renaming one of its pins
	ReasonItsMount Reason = 34 // unmounting or covering its bpffs
	ReasonItsLink  Reason = 35 // detaching or updating a link
	ReasonFile     Reason = 36 // writing, replacing or removing a pinned executable
	ReasonProcess  Reason = 37 // tracing or ending the trusted loader
	ReasonFtrace   Reason = 38 // turning kernel.ftrace_enabled off
	ReasonIterator Reason = 39 // an iterator over something that its caller names, such as a map
)

// String is the reason's stable name.
func (r Reason) String() string {
	names := map[Reason]string{
		ReasonSigned: "signed", ReasonNested: "nested", ReasonLoader: "loader", ReasonListed: "listed",
		ReasonUnsigned: "unsigned", ReasonKeyring: "keyring-not-pinned", ReasonType: "not-a-loader-program",
		ReasonUncovered: "uncovered-attributes", ReasonNoSignature: "no-signature", ReasonNotNested: "not-from-a-loader-program",
		ReasonNotLoader: "not-the-trusted-loader", ReasonTag: "another-program", ReasonMap: "map-not-exclusive",
		ReasonNoMemory: "no-memory", ReasonTest: "self-test", ReasonState: "state-not-frozen",
		ReasonItsMap: "gate-map", ReasonItsPin: "gate-pin", ReasonItsMount: "gate-mount", ReasonItsLink: "gate-link",
		ReasonFile: "pinned-file", ReasonProcess: "loader-process", ReasonFtrace: "ftrace", ReasonIterator: "iterator",
	}
	if name, ok := names[r]; ok {
		return name
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// Mode is what the gate does with what it does not allow.
type Mode uint8

// Modes. The zero value is the strict one only where nothing can be meant by
// it: a gate that is not armed has none.
const (
	NotArmed Mode = 0
	Audit    Mode = 1 // says so and lets it pass
	Enforce  Mode = 2
)

// String is the mode's name.
func (m Mode) String() string {
	switch m {
	case NotArmed:
		return "not-armed"
	case Audit:
		return "audit"
	case Enforce:
		return "enforce"
	}
	return fmt.Sprintf("mode-%d", uint8(m))
}
