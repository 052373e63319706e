//go:build linux

package kernelload

import "github.com/trustedbpf/tbpf/internal/bpfsys"

// Admitted loads a payload's loader program and does not run it: whether the
// kernel, and what guards it, admit it. The error is an *Error.
func Admitted(p Payload, s Settings) error {
	log, err := newLog(false)
	if err != nil {
		return stepError(StepMap, err)
	}
	defer log.free()
	meta, err := metadataMap(p, s.Token)
	if err != nil {
		return err
	}
	defer meta.Close()
	prog, err := loaderProgram(p, s, meta, log)
	if err != nil {
		return err
	}
	if err := prog.Close(); err != nil {
		return stepError(StepLoad, err)
	}
	return nil
}

// MetadataMap makes a payload's metadata map, as a load would.
func MetadataMap(p Payload) (*bpfsys.FD, error) { return metadataMap(p, nil) }
