// Command rawload runs a loader program that it knows nothing of and verifies
// nothing: the system calls that any such load makes, in Go. It pins what the
// loader program returns.
//
// Given a slot with a number, it passes that to the loader program: the
// interface that the object is attached to.
//
//	rawload DIR METADATA INSTRUCTIONS CONTEXT-SIZE SLOT@NUMBER... SLOT=NAME...
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rawload:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 4 {
		return errors.New("arguments are DIR METADATA INSTRUCTIONS CONTEXT-SIZE, and any number of SLOT@NUMBER and SLOT=NAME")
	}
	dir, metadataFile, instructionsFile, size, outputs := args[0], args[1], args[2], args[3], args[4:]
	metadata, err := os.ReadFile(metadataFile)
	if err != nil {
		return err
	}
	instructions, err := os.ReadFile(instructionsFile)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	inputs := make(map[int]int)
	for len(outputs) > 0 {
		slot, value, ok := strings.Cut(outputs[0], "@")
		if !ok {
			break
		}
		i, slotErr := strconv.Atoi(slot)
		v, valueErr := strconv.Atoi(value)
		if err := errors.Join(slotErr, valueErr); err != nil {
			return err
		}
		inputs[i], outputs = v, outputs[1:]
	}
	ctx, err := load(metadata, instructions, n, inputs)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, output := range outputs {
		slot, name, _ := strings.Cut(output, "=")
		i, err := strconv.Atoi(slot)
		if err != nil {
			return err
		}
		fd, err := bpfsys.NewFD(int(int32(binary.NativeEndian.Uint32(ctx[loadctx.SlotOffset(i):]))))
		if err != nil {
			return err
		}
		if err := bpfsys.Pin(fd, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// load returns the context after the run.
func load(metadata, instructions []byte, size int, inputs map[int]int) ([]byte, error) {
	m, err := bpfsys.CreateMap(bpfsys.MapSpec{
		Name: "tbpf.meta", Type: bpfabi.MapArray, KeySize: 4, ValueSize: uint32(len(metadata)), MaxEntries: 1,
	})
	if err != nil {
		return nil, err
	}
	if err := bpfsys.UpdateElem(m, make([]byte, 4), metadata, 0); err != nil {
		return nil, err
	}
	if err := bpfsys.FreezeMap(m); err != nil {
		return nil, err
	}
	program, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
		Name: "tbpf_loader", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "Dual BSD/GPL",
		Instructions: instructions, Maps: []*bpfsys.FD{m},
	})
	if err != nil {
		return nil, err
	}
	ctx := make([]byte, size)
	for i := loadctx.OffSlots; i < len(ctx); i += 4 {
		binary.NativeEndian.PutUint32(ctx[i:], ^uint32(0))
	}
	for slot, value := range inputs {
		binary.NativeEndian.PutUint32(ctx[loadctx.SlotOffset(slot):], uint32(value))
	}
	// The signal by which Go's runtime preempts a thread would stop the verifier
	// inside the loader program with EAGAIN.
	runtime.LockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &unix.Sigset_t{Val: [16]uint64{1 << (unix.SIGURG - 1)}}, nil); err != nil {
		return nil, err
	}
	if ret, err := bpfsys.RunSyscallProgram(program, ctx); err != nil || ret != 0 {
		return nil, fmt.Errorf("loader program returned %d: %w", ret, err)
	}
	return ctx, nil
}
