package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/report"
)

// gateLogEvery is how often new decisions are looked for.
const gateLogEvery = 200 * time.Millisecond

// findGate finds the gate, and says that there is none.
func findGate() (*gate.State, error) {
	s, err := gate.Find()
	if err == nil && s == nil {
		err = &gate.Error{Reason: "no-gate", Err: errors.New("there is none"), Hint: "`tbpf gate enable` arms it, as the policy's table [gate] says"}
	}
	return s, err
}

// gateLog fills in what the gate remembers, or prints that and what comes.
func gateLog(a *app, doc *report.GateLog, follow bool) (err error) {
	s, err := findGate()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	boot, err := bootTime()
	if err != nil {
		return err
	}
	for last := uint64(0); ; {
		events, missed, next, err := s.After(last)
		if err != nil {
			return err
		}
		doc.Missed = missed
		for i := range events {
			doc.Add(gateEvent(&events[i], boot))
		}
		if !follow {
			return nil
		}
		if len(events) > 0 || missed > 0 {
			if err := a.printGateLog(doc); err != nil {
				return err
			}
			doc = report.NewGateLog()
		}
		last = next
		select {
		case <-a.ctx.Done():
			return nil
		case <-time.After(gateLogEvery):
		}
	}
}

// printGateLog prints what was found at once: nobody waits for a full buffer.
func (a *app) printGateLog(doc *report.GateLog) error {
	doc.Outcome = outcome(nil, report.Done)
	if a.json {
		return forFile(standardOutput, json.NewEncoder(a.stdout).Encode(doc))
	}
	return forFile(standardOutput, doc.WriteText(a.stdout))
}

// bootTime is the time, by the clock of now, from which the gate counts.
func bootTime() (time.Time, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, fmt.Errorf("clock: %w", err)
	}
	return time.Now().Add(-time.Duration(up.Nano())), nil
}

// gateEvent is an event as documents have it.
func gateEvent(e *gate.Event, boot time.Time) report.GateEvent {
	out := report.GateEvent{
		Sequence: e.Sequence, Time: boot.Add(time.Duration(e.Time)).UTC().Format("2006-01-02T15:04:05.000Z"),
		Decision: e.Decision.String(), Reason: e.Reason.String(), Mode: e.Mode.String(),
		PID: e.PID, Thread: e.Thread, User: e.User, Task: e.Task, Executable: e.Exe, Device: e.ExeDevice, Inode: e.ExeInode, Cgroup: e.Cgroup,
		Name: e.Name, Verified: e.Verified, Keyring: e.Keyring, Entry: e.Entry,
		FromProgram: e.Flags&gate.FromKernel != 0, Token: e.Flags&gate.ByToken != 0,
	}
	if e.Command != gate.NoCommand {
		command := bpfabi.Command(e.Command)
		out.Command = command.String()
		if command == bpfabi.CommandProgLoad {
			out.ProgramType = bpfabi.ProgramType(e.ProgramType).String()
		}
	}
	if e.Tag != [8]byte{} {
		out.Tag = hex.EncodeToString(e.Tag[:])
	}
	if names := []string{"", "builtin", "secondary", "platform", "user"}; int(e.KeyringType) < len(names) {
		out.KeyringType = names[e.KeyringType]
	}
	return out
}

// gateLearn proposes an allow list.
func gateLearn(doc *report.GateLearn) (err error) {
	s, err := findGate()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	events, missed, _, err := s.After(0)
	if err != nil {
		return err
	}
	if doc.Missed = missed; missed > 0 {
		doc.Notice(fmt.Sprintf("the gate does not remember %d of its decisions: this may lack some", missed))
	}
	for _, seen := range gate.Learn(events) {
		switch file, err := gate.IdentifyFile(seen.Exe); {
		case seen.Exe == "":
			doc.Notice(fmt.Sprintf("an executable whose path is not known (device %d, inode %d) made %d loads", seen.File.Device, seen.File.Inode, seen.Loads))
		case !report.PolicyPath(seen.Exe):
			doc.Notice("no entry can name " + report.Name(seen.Exe))
		case err != nil:
			doc.Notice("it cannot be an entry: " + err.Error())
		case file != seen.File:
			doc.Notice(report.Name(seen.Exe) + " is not the file that loaded programs any more")
		default:
			doc.Add(seen.Exe, seen.Loads, seen.Programs)
		}
	}
	return nil
}
