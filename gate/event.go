package gate

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Names of the gate's maps in the kernel. Readers find them among the maps of
// its programs, never by name alone.
const (
	MapConfig   = "gate_config"
	MapState    = "gate_state"
	MapAllow    = "gate_allow"
	MapFiles    = "gate_files"
	MapEvents   = "gate_events"
	MapCounters = "gate_counters"
)

// Sizes of the maps that are read while the gate is on (object/event.h).
const (
	EventSize = 256  // bytes
	Events    = 1024 // in the ring
	Reasons   = 64
	Counters  = 4 * Reasons
)

// Decision is what became of a request.
type Decision uint8

// Decisions.
const (
	Passed  Decision = 1
	Audited Decision = 2 // it would have been refused: the gate only audits
	Refused Decision = 3
)

// String is the decision's name in events.
func (d Decision) String() string {
	switch d {
	case Passed:
		return "passed"
	case Audited:
		return "audited"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("decision-%d", uint8(d))
}

// Flags of an Event.
const (
	FromKernel = 1 << iota // asked by a BPF program
	ByToken                // through a BPF token
	NoExe                  // by a kernel thread
)

// NoCommand is the command of an event that no bpf(2) command caused.
const NoCommand = ^uint32(0)

// Event is one decision of the gate.
type Event struct {
	Sequence    uint64 // counts from 1; a gap is events that were overwritten
	Time        uint64 // ns since boot, suspend included
	Cgroup      uint64 // id in the unified hierarchy
	ExeInode    uint64
	ExeDevice   uint32 // the kernel's number: major << 20 | minor
	PID         uint32 // of the process, in the initial namespace
	Thread      uint32
	User        uint32
	Command     uint32 // of bpf(2), or NoCommand
	ProgramType uint32
	AttachType  uint32
	Keyring     int32 // serial, or the keyring id that was asked for
	KeyringType uint8 // 0: none, or the kernel does not tell; 1 builtin, 2 secondary, 3 platform, 4 user
	Verified    bool  // the kernel verified a signature
	Reason      Reason
	Decision    Decision
	Mode        Mode
	Flags       uint8
	Entry       uint16 // of the allow list, from 1; 0: none
	Tag         [8]byte
	Task        string
	Name        string // the program's
	Exe         string // path of the executable, cut after 135 bytes; may be empty
}

// DecodeEvent decodes one slot of the ring. It reports false for a slot that
// does not hold the event of this number, or is just being written.
func DecodeEvent(b []byte, sequence uint64) (e Event, ok bool) {
	ne := binary.NativeEndian
	if len(b) != EventSize || sequence == 0 || ne.Uint64(b) != sequence || ne.Uint64(b[248:]) != sequence {
		return Event{}, false
	}
	return Event{
		Sequence: sequence, Time: ne.Uint64(b[8:]), Cgroup: ne.Uint64(b[16:]), ExeInode: ne.Uint64(b[24:]),
		ExeDevice: ne.Uint32(b[32:]), PID: ne.Uint32(b[36:]), Thread: ne.Uint32(b[40:]), User: ne.Uint32(b[44:]),
		Command: ne.Uint32(b[48:]), ProgramType: ne.Uint32(b[52:]), AttachType: ne.Uint32(b[56:]), Keyring: int32(ne.Uint32(b[60:])),
		KeyringType: b[64], Verified: b[65] == 1, Reason: Reason(b[66]), Decision: Decision(b[67]), Mode: Mode(b[68]), Flags: b[69],
		Entry: ne.Uint16(b[70:]), Tag: [8]byte(b[72:80]),
		Task: unix.ByteSliceToString(b[80:96]), Name: unix.ByteSliceToString(b[96:112]), Exe: unix.ByteSliceToString(b[112:248]),
	}, true
}

// Slot is the place in the ring of the event with a number.
func Slot(sequence uint64) uint32 { return uint32((sequence - 1) % Events) }

// Counter is the place in the counters' map of a decision for a reason.
func Counter(d Decision, r Reason) uint32 { return uint32(d)*Reasons + uint32(r) }
