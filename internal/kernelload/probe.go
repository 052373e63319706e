//go:build linux

package kernelload

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// HasSignatures asks whether the kernel knows exclusive maps, which came with
// signatures. Two answers have to agree that it does not, so that no single
// error number, which a filter or a fault may have put there, turns the check
// off: EINVAL to a map that is exclusive, where the same map without can be made,
// and E2BIG to a program with a signature, which the kernel says of attributes
// that it does not know (kernel/bpf/syscall.c, bpf_check_uarg_tail_zero). Every
// other answer is an *Error.
func HasSignatures(token *bpfsys.FD) (bool, error) {
	spec := MetadataSpec(make([]byte, 8), token)
	return decide(func(exclusive bool) (*bpfsys.FD, error) {
		if !exclusive {
			return bpfsys.CreateMap(spec)
		}
		with := spec
		with.Exclusive = new([sha256.Size]byte)
		return bpfsys.CreateMap(with)
	}, func(m *bpfsys.FD) error { return loadSigned(m, token) })
}

// decide is HasSignatures by what makes a map, exclusive or not, and what loads
// a program with a signature.
func decide(create func(exclusive bool) (*bpfsys.FD, error), load func(m *bpfsys.FD) error) (bool, error) {
	m, err := create(true)
	if err == nil {
		return true, m.Close()
	}
	if !errors.Is(err, unix.EINVAL) {
		return false, stepError(StepMap, err)
	}
	plain, err := create(false)
	if err != nil {
		return false, stepError(StepMap, err)
	}
	err = load(plain)
	if !errors.Is(err, unix.E2BIG) {
		return false, errors.Join(stepError(StepLoad, fmt.Errorf("the kernel takes no exclusive map, and does not say that it knows no signatures: %w", err)), plain.Close())
	}
	return false, plain.Close()
}

// ChecksNothing asks whether the kernel says EOPNOTSUPP to a signature of one
// zero byte. One that checks signatures finds it malformed. The error is an
// *Error.
func ChecksNothing(token *bpfsys.FD) (bool, error) {
	sum := sha256.Sum256(exit())
	spec := MetadataSpec(make([]byte, 8), token)
	spec.Exclusive = &sum
	m, err := bpfsys.CreateMap(spec)
	if err != nil {
		return false, stepError(StepMap, err)
	}
	defer m.Close()
	if err := bpfsys.FreezeMap(m); err != nil {
		return false, stepError(StepFreeze, err)
	}
	err = loadSigned(m, token)
	if errors.Is(err, errTaken) {
		return false, stepError(StepLoad, err)
	}
	return errors.Is(err, unix.EOPNOTSUPP), nil
}

var errTaken = errors.New("the kernel took a signature that is none")

// loadSigned loads a program that does nothing with a signature of one zero
// byte, and returns what the kernel says to it.
func loadSigned(m, token *bpfsys.FD) error {
	prog, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
		Name: "tbpf_probe", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "GPL",
		Instructions: exit(), Maps: []*bpfsys.FD{m}, Bind: true, Signature: []byte{0}, Token: token,
	})
	if err == nil {
		return errors.Join(errTaken, prog.Close())
	}
	return err
}

// exit are the instructions of loadSigned's program: r0 = 0; exit.
func exit() []byte { return []byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0} }
