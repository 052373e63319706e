package main

import (
	"errors"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/trusted"
)

// gateStatus fills in what the kernel has. It reads and tries nothing.
func gateStatus(doc *report.Gate) (err error) {
	s, err := gate.Find()
	if err != nil {
		return err
	}
	if s == nil {
		doc.Mode = "none"
		return nil
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	doc.Mode, doc.Keyrings, doc.Serials, doc.Gone, doc.Events = s.Mode.String(), s.Keyrings, s.Serials, s.Gone, s.Events
	for _, d := range []gate.Decision{gate.Passed, gate.Audited, gate.Refused} {
		for r := gate.Reason(0); r < gate.Reasons; r++ {
			n, err := s.Count(d, r)
			if err != nil {
				return err
			}
			if n > 0 {
				doc.Counters = append(doc.Counters, report.GateCounter{Decision: d.String(), Reason: r.String(), Count: n})
			}
		}
	}
	return nil
}

// gateEnable has the gate armed as the machine's policy says.
func gateEnable(doc *report.Gate) (err error) {
	system, err := trusted.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.Close()) }()
	if system.Policy().Gate == nil {
		return withHint(&policyError{"no-gate", "the machine's policy, " + trusted.PolicyPath + ", has no gate"}, "add the table [gate] with its mode")
	}
	mode, err := system.Gate()
	if err == nil {
		doc.Mode = mode.String()
	}
	return err
}
