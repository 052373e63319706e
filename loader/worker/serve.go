//go:build linux

package worker

import (
	"crypto/sha256"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
)

// serve answers one request.
func serve(sock int, token *bpfsys.FD) error {
	b, fds, err := receive(sock, 0)
	if err != nil {
		return err
	}
	req, err := decodeRequest(b)
	if err != nil {
		return errors.Join(err, closeAll(fds))
	}
	var a answer
	var result *kernelload.Result
	switch req.op {
	case opSignatures:
		a.yes, err = kernelload.HasSignatures(token)
	case opChecksNothing:
		a.yes, err = kernelload.ChecksNothing(token)
	case opTry:
		result, err = try(&req.settings, token, fds)
	default:
		err = errProtocol
	}
	if closeErr := closeAll(fds); err == nil {
		err = closeErr
	}
	if err != nil {
		a.yes = false
		if a.failed, _ = errors.AsType[*kernelload.Error](err); a.failed == nil {
			return err
		}
		return send(sock, 0, a.encode())
	}
	return sendResult(sock, &a, result)
}

// try loads one payload.
func try(s *settings, token *bpfsys.FD, fds []*bpfsys.FD) (*kernelload.Result, error) {
	if len(fds) == 0 {
		return nil, errProtocol
	}
	payload, err := readPayload(s, fds[0])
	if err != nil {
		return nil, err
	}
	inputs := make(map[int]int32, len(s.inputs))
	rest := fds[1:]
	for _, in := range s.inputs {
		value := in.value
		if in.fd {
			if len(rest) == 0 {
				return nil, errProtocol
			}
			value, rest = int32(rest[0].Int()), rest[1:]
		}
		inputs[in.slot] = value
	}
	if len(rest) != 0 {
		return nil, errProtocol
	}
	return kernelload.Try(*payload, kernelload.Settings{
		KeyringID: s.keyring, Token: token, ContextSize: s.context, Inputs: inputs, Tunables: s.tunables, Outputs: s.outputs, Log: s.log,
	})
}

// readPayload reads the bytes that the broker verified, and sees that they are
// those. They are read once, into memory of this process's own.
func readPayload(s *settings, fd *bpfsys.FD) (*kernelload.Payload, error) {
	seals, err := unix.FcntlInt(uintptr(fd.Int()), unix.F_GET_SEALS, 0)
	if err != nil || seals&sealAll != sealAll {
		return nil, errProtocol
	}
	size := uint64(s.instructions) + uint64(s.metadata) + uint64(s.cms)
	if size > 1<<25 {
		return nil, errProtocol
	}
	b := make([]byte, size)
	for off := 0; off < len(b); {
		n, err := unix.Pread(fd.Int(), b[off:], int64(off))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil, errProtocol
		}
		off += n
	}
	if sha256.Sum256(b) != s.digest {
		return nil, errors.New("the payload is not the one that was verified")
	}
	p := &kernelload.Payload{Profile: s.profile, Instructions: b[:s.instructions], Metadata: b[s.instructions : s.instructions+s.metadata]}
	if s.cms > 0 {
		p.CMS = b[s.instructions+s.metadata:]
	}
	return p, nil
}

// sendResult answers, then hands the descriptors over.
func sendResult(sock int, a *answer, result *kernelload.Result) error {
	var fds []int
	if result != nil {
		defer result.Close()
		for slot := range result.FDs {
			a.slots = append(a.slots, slot)
		}
		for _, slot := range a.slots {
			fds = append(fds, result.FDs[slot].Int())
		}
	}
	if err := send(sock, 0, a.encode()); err != nil {
		return err
	}
	for len(fds) > 0 {
		n := min(len(fds), fdsPerSend)
		if err := send(sock, 0, []byte{byte(opTry)}, fds[:n]...); err != nil {
			return err
		}
		fds = fds[n:]
	}
	return nil
}
