package loader

import (
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// fillArenas writes the initial values of variables that lie in an arena, which
// no loader program can. Nothing that uses it is attached yet.
func (l *Loaded) fillArenas(m *manifest.Manifest, metadata []byte) error {
	for i := range m.Maps {
		p := &m.Maps[i]
		if !p.FilledByLoader() {
			continue
		}
		data, err := signedContents(p, metadata)
		if err != nil {
			return err
		}
		err = bpfsys.WriteArena(l.maps[p.Name], uintptr(p.Extra), uintptr(p.MaxEntries)*manifest.ArenaPage, p.ArenaOffset, data)
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
