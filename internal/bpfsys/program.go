//go:build linux

package bpfsys

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// instructionSize is sizeof(struct bpf_insn).
const instructionSize = 8

// progLoadAttr is the part of union bpf_attr that BPF_PROG_LOAD reads, as of
// Linux 7.3 (168 bytes).
type progLoadAttr struct {
	progType           uint32
	insnCnt            uint32
	insns              unsafe.Pointer
	license            unsafe.Pointer
	logLevel           uint32
	logSize            uint32
	logBuf             unsafe.Pointer
	kernVersion        uint32
	progFlags          uint32
	progName           [bpfabi.NameSize]byte
	progIfindex        uint32
	expectedAttachType uint32
	progBTFFD          uint32
	funcInfoRecSize    uint32
	funcInfo           unsafe.Pointer
	funcInfoCnt        uint32
	lineInfoRecSize    uint32
	lineInfo           unsafe.Pointer
	lineInfoCnt        uint32
	attachBTFID        uint32
	attachBTFObjFD     uint32
	coreReloCnt        uint32
	fdArray            unsafe.Pointer
	coreRelos          unsafe.Pointer
	coreReloRecSize    uint32
	logTrueSize        uint32
	progTokenFD        int32
	fdArrayCnt         uint32
	signature          unsafe.Pointer
	signatureSize      uint32
	keyringID          int32
}

// The attribute's lengths before logTrueSize (6.4), before fdArrayCnt (6.14),
// and before the signature (6.18). Older kernels take a longer one only where
// the rest is zero; nothing is sent that they would have to ignore.
const (
	progLoadSizeOld   = unsafe.Offsetof(progLoadAttr{}.logTrueSize)
	progLoadSizeToken = unsafe.Offsetof(progLoadAttr{}.fdArrayCnt)
	progLoadSizePlain = unsafe.Offsetof(progLoadAttr{}.signature)
)

// ProgramSpec is a program to load. It has no place for BTF, function or line
// information and relocations: a loader program has none, and the kernel's
// signature would not cover them.
type ProgramSpec struct {
	Name               string
	Type               bpfabi.ProgramType
	ExpectedAttachType bpfabi.AttachType
	AttachBTFID        uint32
	Flags              uint32
	License            string
	Instructions       []byte // struct bpf_insn, in the machine's byte order
	// Maps is the descriptor array that instructions index.
	Maps []*FD
	// Bind says that Maps is given with its length, so that the kernel binds
	// all of it, and checks the signature over it where it does so.
	Bind bool
	// Signature is a CMS over the instructions (and the bound maps' contents);
	// nil loads without one.
	Signature []byte
	KeyringID int32
	Token     *FD
	// LogLevel and Log are the verifier's; Log is shared with the kernel.
	LogLevel uint32
	Log      []byte
}

// LoadProgram is BPF_PROG_LOAD.
func LoadProgram(spec ProgramSpec) (*FD, error) {
	name, err := objectName(spec.Name)
	if err != nil {
		return nil, err
	}
	if len(spec.Instructions) == 0 || len(spec.Instructions)%instructionSize != 0 {
		return nil, fmt.Errorf("program %q has %d bytes of instructions", spec.Name, len(spec.Instructions))
	}
	license, err := unix.BytePtrFromString(spec.License)
	if err != nil {
		return nil, err
	}
	fds := make([]int32, 0, len(spec.Maps))
	for _, m := range spec.Maps {
		n, err := m.number()
		if err != nil {
			return nil, err
		}
		fds = append(fds, int32(n))
	}
	attr := &progLoadAttr{
		progType: uint32(spec.Type), expectedAttachType: uint32(spec.ExpectedAttachType), attachBTFID: spec.AttachBTFID,
		insnCnt: uint32(len(spec.Instructions) / instructionSize), insns: bytesPointer(spec.Instructions),
		license: unsafe.Pointer(license), progFlags: spec.Flags, progName: name,
		logLevel: spec.LogLevel, logSize: uint32(len(spec.Log)), logBuf: bytesPointer(spec.Log),
	}
	if spec.LogLevel == 0 {
		attr.logSize, attr.logBuf = 0, nil // the kernel refuses a buffer without a level
	}
	if len(fds) > 0 {
		attr.fdArray = unsafe.Pointer(unsafe.SliceData(fds))
	}
	size := progLoadSizeOld
	if spec.Token != nil {
		token, err := spec.Token.number()
		if err != nil {
			return nil, err
		}
		attr.progTokenFD, attr.progFlags = int32(token), attr.progFlags|bpfabi.FlagToken
		size = progLoadSizeToken
	}
	if spec.Bind {
		attr.fdArrayCnt = uint32(len(fds))
		size = progLoadSizePlain
	}
	if spec.Signature != nil {
		attr.signature, attr.signatureSize = bytesPointer(spec.Signature), uint32(len(spec.Signature))
		attr.keyringID = spec.KeyringID
		size = unsafe.Sizeof(*attr)
	}
	fd, err := callFD(bpfabi.CommandProgLoad, unsafe.Pointer(attr), size)
	runtime.KeepAlive(spec)
	runtime.KeepAlive(license)
	runtime.KeepAlive(fds)
	return fd, err
}

// progRunAttr is what BPF_PROG_RUN reads.
type progRunAttr struct {
	progFD      uint32
	retval      uint32
	dataSizeIn  uint32
	dataSizeOut uint32
	dataIn      unsafe.Pointer
	dataOut     unsafe.Pointer
	repeat      uint32
	duration    uint32
	ctxSizeIn   uint32
	ctxSizeOut  uint32
	ctxIn       unsafe.Pointer
	ctxOut      unsafe.Pointer
	flags       uint32
	cpu         uint32
	batchSize   uint32
	_           uint32
}

// RunSyscallProgram is BPF_PROG_RUN of a SYSCALL program. The kernel writes the
// context back to where it read it (net/bpf/test_run.c,
// bpf_prog_test_run_syscall). It returns what the program returned.
func RunSyscallProgram(prog *FD, context []byte) (int32, error) {
	n, err := prog.number()
	if err != nil {
		return 0, err
	}
	attr := &progRunAttr{progFD: n, ctxIn: bytesPointer(context), ctxSizeIn: uint32(len(context))}
	_, err = call(bpfabi.CommandProgRun, unsafe.Pointer(attr), unsafe.Sizeof(*attr))
	runtime.KeepAlive(context)
	return int32(attr.retval), err
}
