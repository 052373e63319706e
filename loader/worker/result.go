//go:build linux

package worker

import (
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// newTry makes the request for a payload, with the descriptors of its inputs.
func newTry(p kernelload.Payload, s kernelload.Settings, inputFDs map[int]bool) (*request, []int) {
	r := &request{op: opTry, settings: settings{
		profile: p.Profile, instructions: uint32(len(p.Instructions)), metadata: uint32(len(p.Metadata)), cms: uint32(len(p.CMS)),
		keyring: s.KeyringID, context: s.ContextSize, log: s.Log, tunables: s.Tunables, outputs: s.Outputs,
	}}
	h := sha256.New()
	for _, b := range [][]byte{p.Instructions, p.Metadata, p.CMS} {
		h.Write(b) // never fails
	}
	h.Sum(r.settings.digest[:0])
	var fds []int
	for slot, value := range s.Inputs { // in any order: each says which it is
		in := inputSlot{slot: slot, value: value}
		if inputFDs[slot] {
			fds = append(fds, int(in.value))
			in.value, in.fd = 0, true
		}
		r.settings.inputs = append(r.settings.inputs, in)
	}
	return r, fds
}

// takeResult takes over the descriptors that an answer announces. On an error
// all of them are closed.
func (w *Worker) takeResult(deadline time.Time, a *answer, s kernelload.Settings) (*kernelload.Result, error) {
	for _, slot := range a.slots {
		if !slices.Contains(s.Outputs, slot) {
			return nil, errProtocol
		}
	}
	result := &kernelload.Result{FDs: make(map[int]*bpfsys.FD)}
	for rest := a.slots; len(rest) > 0; {
		b, fds, err := w.receive(deadline)
		if err == nil && (len(b) != 1 || b[0] != byte(opTry) || len(fds) == 0 || len(fds) > len(rest)) {
			err = errors.Join(errProtocol, closeAll(fds))
		}
		if err != nil {
			return nil, errors.Join(err, result.Close())
		}
		for i, fd := range fds {
			result.FDs[rest[i]] = fd
		}
		rest = rest[len(fds):]
	}
	return result, nil
}
