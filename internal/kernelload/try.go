//go:build linux

package kernelload

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

const sizeofWord = int(unsafe.Sizeof(uintptr(0)))

var errGone = errors.New("the loading goroutine ended without a result")

// The loader program's attributes. The signature covers none of them, so they
// are constants.
const (
	mapName       = "tbpf.meta"
	programName   = "tbpf_loader"
	loaderLicense = "Dual BSD/GPL"
)

// maxLog is the verifier's log that a second try asks for. Only the pages that
// the kernel writes cost memory.
const maxLog = 16 << 20

// Payload is one profile's bytes.
type Payload struct {
	Profile      bpfabi.Profile
	Instructions []byte
	Metadata     []byte
	// CMS is the kernel signature. Nil loads the instructions of the profile
	// `bound` without one, for kernels that have no signatures: the metadata
	// map is then an ordinary frozen one.
	CMS []byte
}

// Settings is what a load takes from outside.
type Settings struct {
	KeyringID   int32      // the kernel keyring that the signature is checked against
	Token       *bpfsys.FD // nil: the caller's own capabilities
	ContextSize uint32     // bytes
	Inputs      map[int]int32
	Tunables    []byte    // their values, which end the context
	Outputs     []int     // slots in which the loader program leaves descriptors
	Log         *Position // ask for the verifier's log; nil for none
}

// Position is a command inside the loader program: its stage and the index of
// the map or program that it is for. One run gives the log of one command. The
// zero value is the loading of the loader program itself.
type Position struct {
	Stage loadctx.Stage
	Index uint32
}

// Result is what the loader program made.
type Result struct {
	FDs map[int]*bpfsys.FD // by slot; a slot that it left empty is missing
}

// Close closes everything that the result still owns.
func (r *Result) Close() error {
	var errs []error
	for _, fd := range r.FDs {
		errs = append(errs, fd.Close())
	}
	return errors.Join(errs...)
}

// Try loads and runs one payload. The error is an *Error, and leaves nothing
// behind. It must be called by OnThread. A verifier run that was interrupted is
// tried again from the start.
func Try(p Payload, s Settings) (*Result, error) {
	const maxRetries = 5
	for tries := 0; ; tries++ {
		result, err := try(p, s)
		failed, ok := errors.AsType[*Error](err)
		if tries == maxRetries || !ok || failed.Step != StepInside ||
			failed.Errno != unix.EAGAIN && failed.Errno != unix.EINTR {
			return result, err
		}
	}
}

func try(p Payload, s Settings) (*Result, error) {
	log, err := newLog(s.Log != nil)
	if err != nil {
		return nil, stepError(StepMap, err)
	}
	defer log.free()
	meta, err := metadataMap(p, s.Token)
	if err != nil {
		return nil, err
	}
	defer meta.Close()
	prog, err := loaderProgram(p, s, meta, log)
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	return run(prog, s, log)
}

// metadataMap makes the metadata map as the profile wants it.
func metadataMap(p Payload, token *bpfsys.FD) (*bpfsys.FD, error) {
	spec := MetadataSpec(p.Metadata, token)
	if p.CMS != nil {
		sum := sha256.Sum256(p.Instructions)
		spec.Exclusive = &sum
	}
	meta, err := bpfsys.CreateMap(spec)
	if err != nil {
		return nil, stepError(StepMap, err)
	}
	if err := fillMetadata(meta, p); err != nil {
		_ = meta.Close() // the error that is told is the first one
		return nil, err
	}
	return meta, nil
}

// MetadataSpec is the metadata map, open to every program.
func MetadataSpec(metadata []byte, token *bpfsys.FD) bpfsys.MapSpec {
	return bpfsys.MapSpec{
		Name: mapName, Type: bpfabi.MapArray, KeySize: 4, ValueSize: uint32(len(metadata)), MaxEntries: 1, Token: token,
	}
}

func fillMetadata(meta *bpfsys.FD, p Payload) error {
	if len(p.Metadata) == 0 || len(p.Metadata)%8 != 0 {
		return stepError(StepFill, fmt.Errorf("metadata of %d bytes", len(p.Metadata)))
	}
	if err := bpfsys.UpdateElem(meta, make([]byte, 4), p.Metadata, 0); err != nil {
		return stepError(StepFill, err)
	}
	if err := bpfsys.FreezeMap(meta); err != nil {
		return stepError(StepFreeze, err)
	}
	if p.CMS == nil {
		return checkFrozen(meta, p.Metadata)
	}
	if p.Profile != bpfabi.Bound {
		// The kernel computes the digest when it is asked, and the loader
		// program compares it.
		sum, err := bpfsys.HashMap(meta)
		if err != nil {
			return stepError(StepHash, err)
		}
		if sum != sha256.Sum256(p.Metadata) {
			return stepError(StepHash, errors.New("the metadata map holds other bytes than were put into it"))
		}
	}
	return nil
}

// checkFrozen sees that a map, which nobody writes any more, holds what was put
// into it: until it was frozen whoever may open maps by their ids could write it,
// and no signature tells. That is root, whom a gate holds back: the loader program
// loads what stands here in the trusted loader's name.
func checkFrozen(meta *bpfsys.FD, metadata []byte) error {
	have := make([]byte, len(metadata))
	if err := bpfsys.LookupElem(meta, make([]byte, 4), have); err != nil {
		return stepError(StepFreeze, err)
	}
	if !bytes.Equal(have, metadata) {
		return stepError(StepFreeze, errors.New("the metadata map holds other bytes than were put into it"))
	}
	return nil
}

// loaderProgram loads the loader program.
func loaderProgram(p Payload, s Settings, meta *bpfsys.FD, log *logBuffer) (*bpfsys.FD, error) {
	spec := bpfsys.ProgramSpec{
		Name: programName, Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: loaderLicense,
		Instructions: p.Instructions, Maps: []*bpfsys.FD{meta}, Token: s.Token,
	}
	if s.Log != nil && *s.Log == (Position{}) {
		spec.LogLevel, spec.Log = logLevel, log.memory
	}
	if p.CMS != nil {
		if len(p.CMS) == 0 {
			return nil, stepError(StepLoad, errors.New("empty signature")) // NULL, to the kernel
		}
		spec.Signature, spec.KeyringID = p.CMS, s.KeyringID
		spec.Bind = p.Profile == bpfabi.Bound
	}
	prog, err := bpfsys.LoadProgram(spec)
	if err != nil {
		failed := stepError(StepLoad, err)
		failed.Log = log.text()
		return nil, failed
	}
	return prog, nil
}

// run runs the loader program and takes over what it made.
func run(prog *bpfsys.FD, s Settings, log *logBuffer) (*Result, error) {
	token := 0
	if s.Token != nil {
		if token = s.Token.Int(); token <= 0 {
			return nil, stepError(StepRun, bpfsys.ErrClosed)
		}
	}
	ctx, err := newContext(&s, token)
	if err != nil {
		return nil, stepError(StepRun, err)
	}
	if s.Log != nil && *s.Log != (Position{}) {
		setLog(ctx, *s.Log, uintptr(unsafe.Pointer(unsafe.SliceData(log.memory))), len(log.memory))
	}
	ret, err := bpfsys.RunSyscallProgram(prog, ctx)
	if err != nil {
		return nil, stepError(StepRun, err)
	}
	if ret != 0 {
		if ret > 0 || ret < -4095 {
			return nil, stepError(StepResult, fmt.Errorf("it returned %d", ret))
		}
		stage, index := position(ctx)
		return nil, &Error{Step: StepInside, Errno: unix.Errno(-ret), Stage: stage, Index: index, Log: log.text()}
	}
	return adopt(ctx, s)
}

// adopt takes ownership of the descriptors in the output slots. All of them are
// taken over before any is judged, so that none is left open.
func adopt(ctx []byte, s Settings) (*Result, error) {
	result := &Result{FDs: make(map[int]*bpfsys.FD, len(s.Outputs))}
	var wrong error
	seen := make(map[int32]bool, len(s.Outputs))
	for _, i := range s.Outputs {
		if i < 0 || i >= s.slots() || result.FDs[i] != nil {
			wrong = fmt.Errorf("output slot %d", i)
			continue
		}
		n := slot(ctx, i)
		if n < 0 {
			continue
		}
		if seen[n] {
			wrong = fmt.Errorf("descriptor %d is in two slots", n)
			continue
		}
		seen[n] = true
		fd, err := bpfsys.NewFD(int(n))
		if err != nil {
			wrong = fmt.Errorf("descriptor %d: %w", n, err)
			continue
		}
		result.FDs[i] = fd
	}
	if stage, _ := position(ctx); stage != loadctx.StageDone {
		wrong = fmt.Errorf("it succeeded and ended after %v", stage)
	}
	if wrong != nil {
		return nil, errors.Join(stepError(StepResult, wrong), result.Close())
	}
	return result, nil
}

// stepError makes an Error of what a system call returned.
func stepError(step Step, err error) *Error {
	errno, _ := errors.AsType[unix.Errno](err)
	return &Error{Step: step, Cause: err, Errno: errno}
}
