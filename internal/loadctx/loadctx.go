// Package loadctx is the layout of a loader program's context: the one
// argument that a SYSCALL program gets from BPF_PROG_RUN, and the one input
// that no signature covers.
//
// sign/skeleton emits instructions for this layout, loader encodes and decodes
// it. The context therefore carries only what must come from outside: log
// settings, a token, the attach targets that the manifest declares as inputs,
// the values of the tunables that it declares, which the loader program checks,
// and, on the way back, file descriptors and where a failure happened.
//
//	offset  size  field
//	     0     4  log level of the command that stage and index name
//	     4     4  log size in bytes
//	     8     8  log buffer, an address in the caller's memory
//	    16     4  token: a BPF token's file descriptor, 0 or less = none
//	    20     4  stage: on entry the command whose log is wanted, StageBTF or
//	              StageProgram, or 0 = none; on return what the loader did last
//	    24     4  index: of the map, program or symbol that stage names, likewise
//	    28     4  zero
//	    32   4*n  slots: s32 each, -1 on entry unless the slot is an input;
//	              on success the file descriptor, or -1 for a skipped program
//	  then   8*m  the values of the tunables, up to the end: 8 bytes for a number,
//	              as many as the variable has, rounded up to 8, for a text. Every
//	              tunable has its value here, whether it was set or not.
//
// All fields have the byte order of the machine. The context's size is in the
// manifest; the loader program refuses to be run with a shorter one, because
// the kernel's verifier records the highest offset that it uses.
package loadctx

import "fmt"

// Offsets of the fixed fields, in bytes.
const (
	OffLogLevel = 0
	OffLogSize  = 4
	OffLogBuf   = 8
	OffToken    = 16
	OffStage    = 20
	OffIndex    = 24
	OffSlots    = 32
)

// MaxSlots bounds the number of slots of one object. The kernel accepts
// contexts up to 65535 bytes (net/bpf/test_run.c, bpf_prog_test_run_syscall).
const MaxSlots = 4096

// MaxTunables bounds the values of tunables, in bytes. Instructions reach
// offsets up to 32767.
const MaxTunables = 8192

// Size is the size in bytes of a context with the given number of slots. It
// is a multiple of eight.
func Size(slots int) int { return (OffSlots + 4*slots + 7) &^ 7 }

// SlotOffset is the offset in bytes of slot i.
func SlotOffset(i int) int { return OffSlots + 4*i }

// Stage says what the loader program did last. Together with the context's
// index it names the map, program or symbol of a failure.
type Stage uint32

// The stages in the order in which they happen.
const (
	StageStart     Stage = iota // nothing yet
	StageLatch                  // refusing a second run
	StageSelfCheck              // comparing the metadata map's digest
	StageInput                  // checking declared inputs (index: program)
	StageBTF                    // BTF_LOAD of the object's types
	StageMap                    // MAP_CREATE (index: map)
	StageMapInit                // initial values (index: map)
	StageMapFreeze              // MAP_FREEZE (index: map)
	StageTarget                 // looking up the attach target (index: program)
	StageSymbol                 // resolving a kernel symbol or kfunc (index: manifest's symbol list)
	StageProgram                // PROG_LOAD (index: program)
	StageProgArray              // filling a program array (index: map)
	StageAttach                 // LINK_CREATE (index: program)
	StageDone                   // all of it succeeded

	// Stages that came later. Numbers stay what they are: loader programs that
	// were signed report them.
	StageTunable // checking the value of a tunable, after StageInput (index: manifest's list of tunables)
	StageLayout  // finding out how this kernel lays a structure out, before StageMap (index: map)
	StageMapLink // LINK_CREATE of a struct_ops map, after StageAttach (index: map)
)

// String names the stage for error texts.
func (s Stage) String() string {
	names := [...]string{"start", "latch", "self-check", "input", "BTF", "map", "map contents",
		"map freeze", "attach target", "kernel symbol", "program", "program array", "attach", "done", "variable", "struct_ops layout", "struct_ops link"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("stage(%d)", uint32(s))
}
