package loader

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// fillArenas writes the initial values of variables that lie in an arena, which
// no loader program can. They are part of the metadata that was signed, and
// nothing of the object is attached yet.
func (l *Loaded) fillArenas(m *manifest.Manifest, metadata []byte) error {
	for i := range m.Maps {
		p := &m.Maps[i]
		if p.Arena == nil {
			continue
		}
		from, length := uint64(p.Arena.Metadata), p.Contents.Length
		if from > uint64(len(metadata)) || length > uint64(len(metadata))-from {
			return mismatch("map", p.Name, "the metadata do not have its contents")
		}
		data := metadata[from:][:length]
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.Contents.SHA256 {
			return mismatch("map", p.Name, "the metadata have other contents than the manifest")
		}
		err := bpfsys.WriteArena(l.maps[p.Name], uintptr(p.Extra), uintptr(p.MaxEntries)*manifest.ArenaPage, p.Arena.Offset, data)
		if err != nil {
			return failure("fill map", p.Name, "arena-not-filled", err)
		}
	}
	return nil
}

// waited reports whether a program is attached from here only because its arena
// had to be filled first: by its type a loader program could.
func waited(p *manifest.Program) bool {
	switch p.Attach.Input {
	case inputInterface, inputCgroup, inputNetns:
		return p.Attach.By == byBroker
	}
	return p.Attach.By == byBroker && (p.Type == bpfabi.ProgramTracing.String() || p.Type == bpfabi.ProgramLSM.String())
}

// attachWaited attaches such a program, as the loader program would have.
func attachWaited(p *manifest.Program, prog *bpfsys.FD, in *input) (*bpfsys.FD, error) {
	if in == nil && p.AttachType != bpfabi.AttachTraceIter.String() {
		return bpfsys.OpenRawTracepoint("", prog) // it knows its target since it was loaded
	}
	var to uint32
	var as bpfabi.AttachType
	if in != nil {
		to, as = in.ifindex, in.attachType
		if in.fd != nil {
			to = uint32(in.fd.Int())
		}
	}
	if as == 0 {
		var err error
		if as, err = bpfabi.ParseAttachType(p.AttachType); err != nil {
			return nil, err
		}
	}
	return bpfsys.CreateLink(prog, to, as)
}

// reportLink says what the kernel made of an attachment from here.
func reportLink(p *manifest.Program, target string, prog, link *bpfsys.FD, in *input, targets *targetTypes) (LinkReport, error) {
	if waited(p) {
		info, err := bpfsys.GetProgramInfo(prog)
		if err != nil {
			return LinkReport{}, failure("check program", p.Name, "check-failed", err)
		}
		return checkLink(p, link, info, in, targets)
	}
	info, err := bpfsys.GetLinkInfo(link)
	if err != nil {
		return LinkReport{}, failure("check link", p.Name, "check-failed", err)
	}
	return LinkReport{Program: p.Name, Type: info.Type.String(), ID: info.ID, Target: target, ProgramID: info.ProgramID}, nil
}
