//go:build linux

package worker

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// Messages go over a socket that keeps their boundaries. All integers have the
// machine's byte order: both ends are the same program. Each message has one
// encoding, and a reader that finds another gives up.

// operation is what the broker asks for.
type operation uint8

const (
	opMount         operation = iota + 1 // the file system context came back configured
	opSignatures                         // does the kernel know signatures?
	opChecksNothing                      // is it built without checking them?
	opTry                                // load and run one payload
	opReady                              // the worker has given everything up
	opFailed                             // it cannot
	opMapped                             // the new process has its user id
)

const maxErrno = 4095 // include/linux/err.h

// Limits in bytes and numbers. maxMessage holds any request and any answer.
const (
	maxMessage = 128 << 10
	maxLog     = 64 << 10
	maxText    = 1024
	fdsPerSend = 250 // SCM_MAX_FD is 253
)

var errProtocol = errors.New("malformed message")

// request is one question. The payload's bytes are in a sealed memfd, the
// first descriptor that comes along; the inputs' descriptors follow it. Root
// can open any memfd by /proc/PID/fd, and write it before it is sealed: the
// request says what was verified by its digest, and nobody else can send one.
type request struct {
	op       operation
	settings settings
}

// settings are kernelload's, with descriptors as indexes.
type settings struct {
	profile      bpfabi.Profile
	instructions uint32 // bytes in the memfd, then metadata, then CMS
	metadata     uint32
	cms          uint32            // 0 = none
	digest       [sha256.Size]byte // of all of them
	keyring      int32
	context      uint32
	log          *kernelload.Position
	inputs       []inputSlot
	tunables     []byte
	outputs      []int
}

type inputSlot struct {
	slot  int
	value int32
	fd    bool // value is replaced by the next descriptor
}

func (r *request) encode() []byte {
	b := []byte{byte(r.op)}
	if r.op != opTry {
		return b
	}
	ne := binary.NativeEndian
	s := &r.settings
	b = append(b, byte(s.profile))
	for _, v := range []uint32{s.instructions, s.metadata, s.cms, uint32(s.keyring), s.context} {
		b = ne.AppendUint32(b, v)
	}
	b = append(b, s.digest[:]...)
	if s.log == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = ne.AppendUint32(b, uint32(s.log.Stage))
		b = ne.AppendUint32(b, s.log.Index)
	}
	b = ne.AppendUint32(b, uint32(len(s.inputs)))
	for _, in := range s.inputs {
		b = ne.AppendUint32(b, uint32(in.slot))
		b = ne.AppendUint32(b, uint32(in.value))
		b = append(b, flag(in.fd))
	}
	b = ne.AppendUint32(b, uint32(len(s.tunables)))
	b = append(b, s.tunables...)
	b = ne.AppendUint32(b, uint32(len(s.outputs)))
	for _, slot := range s.outputs {
		b = ne.AppendUint32(b, uint32(slot))
	}
	return b
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func decodeRequest(b []byte) (*request, error) {
	r := &reader{b: b}
	req := &request{op: operation(r.u8())}
	if req.op == opTry {
		s := &req.settings
		s.profile = bpfabi.Profile(r.u8())
		if !slices.Contains(bpfabi.Profiles(), s.profile) {
			r.bad = true
		}
		s.instructions, s.metadata, s.cms = r.u32(), r.u32(), r.u32()
		s.keyring, s.context = int32(r.u32()), r.u32()
		copy(s.digest[:], r.take(len(s.digest)))
		if r.flag() {
			s.log = &kernelload.Position{Stage: loadctx.Stage(r.u32()), Index: r.u32()}
		}
		seen := make(map[int]bool)
		for range r.count(9) {
			s.inputs = append(s.inputs, inputSlot{slot: r.slot(seen), value: int32(r.u32()), fd: r.flag()})
			if in := s.inputs[len(s.inputs)-1]; in.fd && in.value != 0 {
				r.bad = true
			}
		}
		if b := r.bytes(loadctx.MaxTunables); len(b) > 0 {
			s.tunables = b
		}
		clear(seen)
		for range r.count(4) {
			s.outputs = append(s.outputs, r.slot(seen))
		}
	} else if req.op != opSignatures && req.op != opChecksNothing {
		r.bad = true
	}
	return req, r.end()
}

// answer is what the worker says. failed is nil if it went well; fds then come
// in messages of their own, in the order of slots.
type answer struct {
	yes    bool // of opSignatures and opChecksNothing
	failed *kernelload.Error
	slots  []int
}

func (a *answer) encode() []byte {
	ne := binary.NativeEndian
	b := []byte{flag(a.yes), flag(a.failed != nil)}
	if f := a.failed; f != nil {
		b = append(b, byte(f.Step))
		b = ne.AppendUint32(b, uint32(f.Errno))
		b = ne.AppendUint32(b, uint32(f.Stage))
		b = ne.AppendUint32(b, f.Index)
		log := f.Log[max(0, len(f.Log)-maxLog):] // the reason stands at the end
		b = ne.AppendUint32(b, uint32(len(log)))
		b = append(b, log...)
		text := ""
		if f.Errno == 0 && f.Cause != nil {
			text = plain(f.Cause.Error())
		}
		b = ne.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	b = ne.AppendUint32(b, uint32(len(a.slots)))
	for _, slot := range a.slots {
		b = ne.AppendUint32(b, uint32(slot))
	}
	return b
}

func decodeAnswer(b []byte) (*answer, error) {
	r := &reader{b: b}
	a := &answer{yes: r.flag()}
	if r.flag() {
		f := &kernelload.Error{Step: kernelload.Step(r.u8()), Errno: unix.Errno(r.u32()), Stage: loadctx.Stage(r.u32()), Index: r.u32()}
		f.Log = r.bytes(maxLog)
		text := string(r.bytes(maxText))
		if f.Cause = errors.New(text); f.Errno != 0 {
			f.Cause = f.Errno
		}
		if text != plain(text) || f.Errno != 0 && text != "" {
			r.bad = true
		}
		if f.Step < kernelload.StepMap || f.Step > kernelload.StepResult || f.Errno > maxErrno || a.yes {
			r.bad = true
		}
		a.failed = f
	}
	seen := make(map[int]bool)
	for range r.count(4) {
		a.slots = append(a.slots, r.slot(seen))
	}
	if a.failed != nil && len(a.slots) > 0 {
		r.bad = true
	}
	return a, r.end()
}

// plain is a text that can be printed anywhere.
func plain(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	return s[:min(len(s), maxText)]
}

// reader takes a message apart. After the first thing that is wrong it yields
// zeroes.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return make([]byte, min(n, 8))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u32() uint32 { return binary.NativeEndian.Uint32(r.take(4)) }

func (r *reader) flag() bool {
	v := r.u8()
	if v > 1 {
		r.bad = true
	}
	return v == 1
}

// slot is the number of a slot that was not seen yet.
func (r *reader) slot(seen map[int]bool) int {
	n := int(r.u32())
	if n >= loadctx.MaxSlots || seen[n] {
		r.bad = true
	}
	seen[n] = true
	return n
}

// count is the number of items of a size that follow.
func (r *reader) count(size int) int {
	n := r.u32()
	if r.bad || uint64(n)*uint64(size) > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) bytes(limit int) []byte {
	n := r.count(1)
	if n > limit {
		r.bad = true
		return nil
	}
	return slices.Clone(r.take(n))
}

func (r *reader) end() error {
	if r.bad || len(r.b) != 0 {
		return errProtocol
	}
	return nil
}
