package report

import (
	"fmt"
	"io"
	"strings"
)

// Gate is the document of `tbpf gate build`, `enable` and `status`.
type Gate struct {
	Head
	Action string `json:"action"`
	Outcome
	Output   string        `json:"output,omitempty"` // of build: the sealed gate
	Mode     string        `json:"mode,omitempty"`
	Keyrings []string      `json:"keyrings,omitempty"` // system keyrings that may verify
	Serials  []int32       `json:"serials,omitempty"`  // user keyrings that may verify
	Gone     []int32       `json:"gone,omitempty"`     // those of them that are gone
	Events   uint64        `json:"events,omitempty"`   // number of the last event
	Counters []GateCounter `json:"counters,omitempty"`
}

// GateCounter is how often the gate decided so for this reason.
type GateCounter struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Count    uint64 `json:"count"`
}

// NewGate begins the document of an action.
func NewGate(action string) *Gate { return &Gate{Head: NewHead("gate"), Action: action} }

// WriteText implements Document.
func (d *Gate) WriteText(w io.Writer) error {
	p := &page{w: w}
	switch {
	case d.Verdict != Done:
	case d.Action == "build":
		p.line("%s: the gate, signed", d.Output)
	case d.Mode == "none":
		p.line("there is no gate: everybody who may load BPF loads what he likes")
	case d.Mode == "not-armed":
		p.line("there is a gate, and it is not armed: it refuses nothing")
	default:
		p.line("the gate is on: %s", d.Mode)
		d.writeDetails(p)
	}
	return p.err
}

func (d *Gate) writeDetails(p *page) {
	keyrings := append([]string(nil), d.Keyrings...)
	for _, serial := range d.Serials {
		keyrings = append(keyrings, fmt.Sprint(serial))
	}
	if len(keyrings) > 0 {
		p.line("  keyrings  %s", strings.Join(keyrings, ", "))
	}
	for _, serial := range d.Gone {
		p.line("  gone      keyring %d: what it verified is refused", serial)
	}
	for _, c := range d.Counters {
		p.line("  %-8s  %6d  %s", c.Decision, c.Count, c.Reason)
	}
}
