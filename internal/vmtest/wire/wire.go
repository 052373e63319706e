// Package wire is what the host and the guest of a virtual machine test say to
// each other: one Plan, in the initrd, and a stream of Events, one JSON
// document a line, on the guest's second serial port. Kernel messages go to
// the first and so cannot break it.
//
// vmtest and its guest import it. It imports nothing of tbpf.
package wire

// Places in the guest.
const (
	PlanPath    = "/plan.json"
	WorkDir     = "/w"         // working directory of every step
	ModuleDir   = "/modules"   // *.ko and *.ko.xz, loaded in the plan's order
	ResultsPort = "/dev/ttyS1" // where Events are written
)

// Start comes before the first Event: firmware writes to every serial port.
const Start = "\x01tbpf results\n"

// Plan is what the guest does.
type Plan struct {
	Modules []string `json:"modules"` // file names in ModuleDir
	Steps   []Step   `json:"steps"`
}

// Step is one program to run.
type Step struct {
	Args    []string `json:"args"`    // the first is the program
	Env     []string `json:"env"`     // added to the guest's own
	Seconds int      `json:"seconds"` // after which its process group is killed
}

// Event is one thing that happened. Exactly one of its parts is set.
type Event struct {
	Begin  *Begin  `json:"begin,omitempty"`
	Output *Output `json:"output,omitempty"`
	Exit   *Exit   `json:"exit,omitempty"`
	// Failed says that the guest could not do its own part; it ends the run.
	Failed string `json:"failed,omitempty"`
	// Done ends a complete run.
	Done bool `json:"done,omitempty"`
}

// Begin is the start of a step.
type Begin struct {
	Step int `json:"step"`
}

// Output is something that a step printed.
type Output struct {
	Step   int    `json:"step"`
	Stderr bool   `json:"stderr,omitempty"`
	Data   []byte `json:"data"`
}

// Exit is the end of a step.
type Exit struct {
	Step     int    `json:"step"`
	Code     int    `json:"code"` // as a shell has it: 128+n after signal n
	TimedOut bool   `json:"timedOut,omitempty"`
	Millis   int64  `json:"millis"`
	Error    string `json:"error,omitempty"` // why it was not started
}
