package report

import (
	"fmt"
	"io"
	"strings"
)

// GateLog is the document of `tbpf gate log`.
type GateLog struct {
	Head
	Action string `json:"action"`
	Outcome
	Missed uint64      `json:"missed"` // events that are not in the gate's memory any more
	Log    []GateEvent `json:"log"`    // oldest first
}

// GateEvent is one decision of the gate.
type GateEvent struct {
	Sequence    uint64 `json:"sequence"`
	Time        string `json:"time"` // RFC 3339, by the clock of now
	Decision    string `json:"decision"`
	Reason      string `json:"reason"`
	Mode        string `json:"mode"`
	PID         uint32 `json:"pid"`
	Thread      uint32 `json:"thread"`
	User        uint32 `json:"user"`
	Task        string `json:"task"`
	Executable  string `json:"executable,omitempty"`
	Device      uint32 `json:"device"` // of the executable, the kernel's number
	Inode       uint64 `json:"inode"`
	Cgroup      uint64 `json:"cgroup"`            // its id
	Command     string `json:"command,omitempty"` // of bpf(2); absent: it was another system call
	ProgramType string `json:"programType,omitempty"`
	Name        string `json:"name,omitempty"` // the program's
	Tag         string `json:"tag,omitempty"`
	Verified    bool   `json:"verified"` // the kernel verified a signature
	KeyringType string `json:"keyringType,omitempty"`
	Keyring     int32  `json:"keyring,omitempty"` // serial, or the id that was asked for
	Entry       uint16 `json:"entry,omitempty"`   // of the allow list, from 1
	FromProgram bool   `json:"fromProgram"`       // a BPF program asked
	Token       bool   `json:"token"`             // through a BPF token
}

// NewGateLog begins the document.
func NewGateLog() *GateLog {
	return &GateLog{Head: NewHead("gate"), Action: "log", Log: []GateEvent{}}
}

// Add adds an event, escaped.
func (d *GateLog) Add(e GateEvent) { d.Log = append(d.Log, escaped(e)) }

// WriteText implements Document.
func (d *GateLog) WriteText(w io.Writer) error {
	if d.Missed > 0 {
		if _, err := fmt.Fprintf(w, "... %s not kept\n", count(int(min(d.Missed, 1<<62)), "event")); err != nil {
			return err
		}
	}
	for i := range d.Log {
		if _, err := fmt.Fprintln(w, d.Log[i].line()); err != nil {
			return err
		}
	}
	return nil
}

// line is an event for people.
func (e *GateEvent) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-7s %s", e.Time, e.Decision, e.Reason)
	if e.Command != "" {
		fmt.Fprintf(&b, " %s", e.Command)
	}
	if e.ProgramType != "" {
		fmt.Fprintf(&b, " %s", e.ProgramType)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, " %s", e.Name)
	}
	who := e.Executable
	if who == "" {
		who = "task " + e.Task
	}
	fmt.Fprintf(&b, " by %s, pid %d, user %d", who, e.PID, e.User)
	if e.Tag != "" {
		fmt.Fprintf(&b, ", tag %s", e.Tag)
	}
	if e.KeyringType != "" {
		fmt.Fprintf(&b, ", keyring %s", e.KeyringType)
		if e.Keyring != 0 {
			fmt.Fprintf(&b, " %d", e.Keyring)
		}
	}
	if e.Entry != 0 {
		fmt.Fprintf(&b, ", allow entry %d", e.Entry)
	}
	if e.FromProgram {
		b.WriteString(", from a BPF program")
	}
	if e.Token {
		b.WriteString(", with a token")
	}
	return b.String()
}

// GateLearn is the document of `tbpf gate learn`.
type GateLearn struct {
	Head
	Action string `json:"action"`
	Outcome
	Missed   uint64        `json:"missed"`
	Proposal []GateAllowed `json:"proposal"`
	Policy   string        `json:"policy"` // the text for the policy
	Notices  []string      `json:"notices"`
}

// GateAllowed is a proposed entry of the allow list.
type GateAllowed struct {
	Executable string   `json:"executable"`
	Loads      int      `json:"loads"`
	Programs   []string `json:"programs"` // names of what it loaded
}

// NewGateLearn begins the document.
func NewGateLearn() *GateLearn {
	return &GateLearn{Head: NewHead("gate"), Action: "learn", Proposal: []GateAllowed{}, Notices: []string{}}
}

// Add proposes an executable, whose path must be one that a policy can hold as
// it is: PolicyPath says so.
func (d *GateLearn) Add(path string, loads int, programs []string) {
	a := escaped(GateAllowed{Executable: path, Loads: loads, Programs: programs})
	d.Proposal = append(d.Proposal, a)
	d.Policy += fmt.Sprintf("[[gate.allow]] # %s: %s\nexe = \"%s\"\n", count(loads, "load"), strings.Join(a.Programs, ", "), path)
}

// PolicyPath reports whether a path can stand in a policy between quotes, and
// looks like what it is.
func PolicyPath(path string) bool {
	return plain(path) && !strings.ContainsAny(path, "\"\\")
}

// Notice says what the proposal lacks.
func (d *GateLearn) Notice(text string) { d.Notices = append(d.Notices, Text(text)) }

// WriteText implements Document: what is printed can stand in the policy.
func (d *GateLearn) WriteText(w io.Writer) error {
	if d.Verdict != Done {
		return nil
	}
	p := &page{w: w}
	for _, n := range d.Notices {
		p.line("# %s", n)
	}
	if len(d.Proposal) == 0 {
		p.line("# the gate saw nobody load a program without a signature")
	}
	if p.err == nil {
		_, p.err = io.WriteString(w, d.Policy)
	}
	return p.err
}
